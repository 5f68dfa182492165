// How figures and times are written for people.

const whole = new Intl.NumberFormat("en");
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

export const count = (value) => whole.format(value);

/** "1 key", "2 keys" */
export const counted = (value, one, many = `${one}s`) => `${count(value)} ${value === 1 || value === 1n ? one : many}`;

/** Stamps are nanoseconds in digits, more of them than a number holds. */
export const milliseconds = (stamp) => Number(BigInt(stamp) / 1_000_000n);

export const time = (ms) => moment.format(ms);

/** "now", "12 s", "5 min", "3 h", "4 d" */
export function span(ms) {
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h`;
  return `${count(Math.floor(seconds / 86400))} d`;
}

/** How far the server's clock is ahead of the browser's: times are the server's, and so is what they are compared with. */
let serverOffset = 0;

/** Takes in the server's time, which was asked for at `asked` of the browser's. */
export function setServerTime(ms, asked) {
  serverOffset = ms - (asked + Date.now()) / 2;
}

/** A moment that lies ahead belongs to a clock that is ahead. */
export function ago(ms) {
  const ahead = ms - Date.now() - serverOffset;
  return ahead > 2000 ? `in ${span(ahead)}` : passed(-ahead);
}

/** "just now", "12 s ago" */
export const passed = (ms) => (ms < 2000 ? "just now" : `${span(ms)} ago`);

/** The same for narrow places. */
export const age = (ms) => ago(ms).replace(/^just | ago$/, "");

/** How far one clock is from another: "+3 ms", "−1.5 s", "+1 h" */
export function offset(ms) {
  const size = Math.abs(ms);
  const text = size < 1000 ? `${size} ms` : size < 60_000 ? `${(size / 1000).toFixed(1)} s` : span(size);
  return (ms < 0 ? "−" : ms > 0 ? "+" : "") + text;
}

export function bytes(value) {
  let rest = value;
  for (const unit of ["B", "KiB", "MiB"]) {
    if (rest < 1024) return `${unit === "B" ? rest : rest.toFixed(rest < 10 ? 1 : 0)} ${unit}`;
    rest /= 1024;
  }
  return `${rest.toFixed(1)} GiB`;
}

/** As much of a key or hash as people compare. */
export const short = (hex, length = 8) => (hex.length > length ? `${hex.slice(0, length)}…` : hex);

/** Whether a path matches a pattern: `*` is one segment, a final `**` one or more. */
export function matches(pattern, path) {
  const wanted = pattern.split("/");
  const segments = path.split("/");
  if (wanted.at(-1) === "**") {
    wanted.pop();
    if (segments.length <= wanted.length) return false;
  } else if (segments.length !== wanted.length) return false;
  return wanted.every((segment, index) => segment === "*" || segment === segments[index]);
}
