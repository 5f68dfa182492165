// How the server stands: the nodes of a pivot or the pivot of a node, what waits to be sent and what was refused, the log.

import { ask, button, complain, copyable, delegate, h, icon, one, show, toast } from "./dom.js";
import * as format from "./format.js";
import { compact, parse } from "./json.js";
import { records, request } from "./net.js";

/** A clock further away than this is worth a look. */
const clockLimitMs = 1000;
/** A pivot whose stream is open and that did not answer for so long is shown as away: it is asked every 10 s. */
const silenceMs = 25_000;

const faults = {
  "not-a-member": "The pivot does not know this node as a member: it takes nothing from it.",
  "wrong-space": "Another space than this node's is led there. The node keeps serving its own copy.",
  "bad-signature": "The pivot does not believe this node's signatures.",
  "pivot-lost": "The pivot lacks what it once acknowledged. Nothing is sent until that is settled.",
  "bad-page": "What the pivot sent contradicts itself, or what this node holds.",
};

const refusals = {
  forbidden: "the node's grants did not cover the path",
  "outside-space": "the path belongs to no pattern of the space",
  "too-large": "the value is larger than the space allows",
  unknown: "its fate could not be learned",
};

const dot = (kind) => h("span", { class: `dot ${kind}`, "aria-hidden": "true" });
const tile = (label, value, { note, kind = "", title } = {}) =>
  h("div", { class: "tile", title }, h("dt", {}, label), h("dd", { class: kind }, value), note && h("p", { class: "quiet" }, note));
const fact = (label, value) => value !== null && value !== undefined && h("div", {}, h("dt", {}, label), h("dd", {}, value));
const behind = (entries) => (entries ? `${format.count(entries)} behind` : "up to date");
/** Of one that is away nobody knows what it wrote meanwhile: only how far it was when it was last heard. */
const lastAt = (position, entries) => `${entries ? `${behind(entries)}, ` : ""}last seen at position ${format.count(position)}`;
const clock = (ms) => (ms === null || ms === undefined ? "unknown" : format.offset(ms));
const clockKind = (ms) => (Math.abs(ms ?? 0) > clockLimitMs ? "warn" : "");

/** An address that a server named, as a link where it is one. */
function address(text) {
  if (!/^(https?:\/\/)?[A-Za-z0-9.-]+(:\d{1,5})?$|^(https?:\/\/)?\[[0-9a-fA-F:]+\](:\d{1,5})?$/.test(text)) return h("span", {}, text || "no address");
  const url = text.startsWith("http") ? text : `http://${text}`;
  return h("a", { href: url, target: "_blank", rel: "noreferrer" }, text.replace(/^https?:\/\//, ""));
}

/** The spaces of a process: one, or several by name. What stays on this server is no business of other servers. */
export const spacesOf = (status) => (status?.spaces ?? (status ? [status] : [])).filter((space) => space.role !== "local");

const total = (status, name) => spacesOf(status).reduce((sum, space) => sum + (space[name] ?? 0), 0);

/** How a server stands over all of its spaces. */
export const summary = (status) => ({
  role: status?.role === "several" ? spacesOf(status).map((space) => space.role).filter((role, index, all) => all.indexOf(role) === index).join(" + ") : status?.role,
  wallMilliseconds: spacesOf(status)[0]?.wallMilliseconds,
  isReady: spacesOf(status).every((space) => space.ready),
  isAway: spacesOf(status).some((space) => space.role === "node" && space.following === false),
  hasOutbox: spacesOf(status).some((space) => space.role === "node"),
  patterns: spacesOf(status).flatMap((space) => space.patterns ?? []),
  outbox: total(status, "outbox"),
  deadLetters: total(status, "deadLetters"),
});

/** What keeps spaces of a server from replicating; nothing where all is well. */
export const faultNotices = (status) =>
  spacesOf(status)
    .filter((space) => space.fault)
    .map(({ name, fault }) =>
      h(
        "div",
        { class: "notice bad", role: "alert" },
        icon("warning"),
        h("span", {}, name && `${name}: `, h("strong", {}, faults[fault.code] ?? "This server cannot replicate."), ` ${fault.detail} `, h("code", {}, fault.code)),
      ),
    );

/** Above what is shown of a space where there are several. */
const spaceHead = (space) => space.name && h("header", { class: "page-head space-head", "data-key": space.name }, h("h2", {}, space.name, " ", h("span", { class: "tag" }, space.role)));

// Nodes

function nodeCard(node, name) {
  return h(
    "li",
    { class: "card node", "data-key": node.author },
    h("header", {}, h("div", {}, dot(node.healthy ? "ok" : "bad"), h("strong", { title: node.author }, name || format.short(node.author)), h("span", { class: "quiet" }, !node.healthy ? "away" : node.following === false ? "answers when called" : "following")), h("span", { class: "quiet" }, address(node.address))),
    h(
      "dl",
      { class: "facts" },
      h("div", {}, h("dt", {}, "Lag"), h("dd", { class: node.lag || !node.following ? "warn" : "" }, node.following ? behind(node.lag) : lastAt(node.position, node.lag))),
      h("div", {}, h("dt", {}, "Clock"), h("dd", { class: clockKind(node.clockSkewMilliseconds) }, clock(node.clockSkewMilliseconds))),
      fact("Last seen", format.passed(node.silentSeconds * 1000)),
      fact("Key", copyable(node.author, format.short(node.author))),
    ),
  );
}

function memberCard(member) {
  return h(
    "li",
    { class: "card node", "data-key": member.author },
    h("header", {}, h("div", {}, dot(""), h("strong", { title: member.author }, member.name || format.short(member.author)), h("span", { class: "quiet" }, member.revoked ? "revoked" : "not seen since this pivot started"))),
    h("dl", { class: "facts" }, fact("May write", member.writes.join("  ") || "nothing"), fact("Key", copyable(member.author, format.short(member.author)))),
  );
}

function ledView(nodes, members) {
  const names = new Map(members.map((member) => [member.author, member.name]));
  const seen = new Set(nodes.map((node) => node.author));
  return h("ul", { class: "cards" }, nodes.map((node) => nodeCard(node, names.get(node.author))), members.filter((member) => !seen.has(member.author)).map(memberCard));
}

/** What a node knows of its pivot. */
function followedView(status) {
  const lag = status.pivotPosition === undefined || status.position === undefined ? null : Math.max(0, status.pivotPosition - status.position);
  const skew = status.pivotClockOffsetMilliseconds;
  const [kind, state] = pivotState(status);
  const standing = lag === null ? "unknown" : kind === "ok" ? behind(lag) : lastAt(status.pivotPosition, lag);
  return h(
    "ul",
    { class: "cards" },
    h(
      "li",
      { class: "card node", "data-key": "pivot" },
      h("header", {}, h("div", {}, dot(kind), h("strong", {}, "Pivot"), h("span", { class: "quiet" }, state)), h("span", { class: "quiet" }, address(status.pivotURL ?? ""))),
      h(
        "dl",
        { class: "facts" },
        h("div", {}, h("dt", {}, "Lag"), h("dd", { class: lag || kind !== "ok" ? "warn" : "" }, standing)),
        h("div", {}, h("dt", {}, "Clock here"), h("dd", { class: clockKind(skew) }, clock(skew === undefined ? null : -skew))),
        fact("Last answer", status.pivotSilentSeconds === undefined ? "none yet" : format.passed(status.pivotSilentSeconds * 1000)),
      ),
    ),
  );
}

function pivotState(status) {
  if (status.fault) return ["bad", "does not serve this node"];
  if (!status.following) return ["warn", "away"];
  if (status.pivotSilentSeconds * 1000 > silenceMs) return ["warn", "does not answer"];
  return ["ok", "following"];
}

function nodesHead(spaces, nodes) {
  const [only] = spaces;
  if (spaces.length === 1 && only.role === "node") {
    const note = pivotState(only)[0] === "ok" ? "Changes arrive as they happen." : "The pivot is away. Reads and writes go on here, and what is written waits in the outbox.";
    return h("header", { class: "page-head" }, h("h1", {}, "This node and its pivot"), h("p", { class: "quiet" }, note));
  }
  const away = nodes.filter((node) => !node.healthy).length;
  const late = nodes.filter((node) => node.lag).length;
  const following = nodes.filter((node) => node.following).length;
  const rest = late ? `${format.count(late)} behind` : following === nodes.length ? "all up to date" : following ? "all that follow up to date" : "";
  const note = nodes.length ? [away ? `${format.count(away)} away` : "all there", rest].filter(Boolean).join(", ") : "No node has called since this server started.";
  return h("header", { class: "page-head" }, h("h1", {}, nodes.length ? format.counted(nodes.length, "node") : "Nodes"), h("p", { class: "quiet" }, note));
}

function nodesView({ status, nodes, members }) {
  const spaces = spacesOf(status);
  return [
    nodesHead(spaces, nodes),
    spaces.map((space) => [spaceHead(space), space.role === "pivot" ? ledView(nodes.filter((node) => !space.name || node.space === space.name), members.get(space.name) ?? []) : followedView(space)]),
  ];
}

// Outbox and dead letters

const kinds = { assign: "write", put: "write", clear: "delete", remove: "delete" };

function operation(node, extra = []) {
  const text = (name) => node.get(name).value;
  const isWrite = kinds[text("kind")] === "write";
  const written = format.milliseconds(text("stamp"));
  return [
    h("header", {}, h("div", {}, h("span", { class: "tag" }, kinds[text("kind")] ?? text("kind")), h("strong", { class: "mono" }, text("path"))), h("span", { class: "quiet", title: format.time(written) }, format.ago(written))),
    isWrite && h("code", { class: "short-value" }, compact(node.get("value")).slice(0, 400)),
    extra,
  ];
}

function letterCard(letter) {
  const id = letter.get("id").value;
  const reason = letter.get("reason").value;
  return h(
    "li",
    { class: "card", "data-key": id },
    operation(letter, [
      h("p", { class: "bad" }, `Refused: ${refusals[reason] ?? reason} `, h("code", {}, reason)),
      h("div", { class: "buttons" }, button("retry", "Write again", { symbol: "retry", "data-id": id }), button("forget", "Forget", { symbol: "trash", "data-id": id, "data-path": letter.get("path").value })),
    ]),
  );
}

function outboxView({ status, outbox, letters }) {
  const { hasOutbox, outbox: waiting, deadLetters } = summary(status);
  if (!hasOutbox) return h("header", { class: "page-head" }, h("h1", {}, "No outbox"), h("p", { class: "quiet" }, "What is written at the pivot is in the log at once."));
  const stamps = spacesOf(status).flatMap((space) => (space.outboxOldest ? [format.milliseconds(String(space.outboxOldest))] : []));
  return [
    h("header", { class: "page-head" }, h("h1", {}, "Outbox"), h("p", { class: "quiet" }, waiting ? "Written here, and not known to be in the pivot’s log yet." : "Everything written here is in the pivot’s log.")),
    h("dl", { class: "tiles" }, tile("Waiting", format.count(waiting), { kind: waiting ? "warn" : "" }), tile("Oldest", stamps.length ? format.ago(Math.min(...stamps)) : "–"), tile("Dead letters", format.count(deadLetters), { kind: deadLetters ? "bad" : "" })),
    outbox.length > 0 && h("ul", { class: "cards" }, outbox.map((node) => h("li", { class: "card", "data-key": `${node.get("path").value} ${node.get("stamp").value}` }, operation(node)))),
    outbox.length > 0 && waiting > outbox.length && h("p", { class: "quiet" }, `and ${format.count(waiting - outbox.length)} more`),
    h("header", { class: "page-head" }, h("h2", {}, "Dead letters"), h("p", { class: "quiet" }, letters.length ? "The pivot refused these writes for good. Nothing behind them waits." : "No write of this node was refused.")),
    letters.length > 0 && h("ul", { class: "cards" }, letters.map(letterCard)),
  ];
}

// Log

/** The engine's own figures, with those first that mean something to everybody. */
function storageCard(storage) {
  const names = Object.keys(storage ?? {}).sort();
  if (!names.length) return null;
  const sum = (...ends) => names.filter((name) => ends.some((end) => name.endsWith(end))).reduce((total, name) => total + storage[name], 0);
  const isSize = (name) => /size|usage|mem|capacity|bytes/.test(name);
  const troubles = [storage["background-errors"] && "background errors", storage["is-write-stopped"] && "writes are stopped"].filter(Boolean);
  return h(
    "section",
    { class: "card" },
    h("h2", {}, "Storage"),
    h(
      "dl",
      { class: "table" },
      fact("On disk", format.bytes(sum("total-sst-files-size"))),
      fact("In memory", format.bytes(sum("size-all-mem-tables", "block-cache-usage", "estimate-table-readers-mem"))),
      fact("State", h("span", { class: troubles.length ? "bad" : "ok" }, troubles.join(", ") || "no errors")),
    ),
    h("details", {}, h("summary", {}, "All figures"), h("dl", { class: "table" }, names.map((name) => fact(name, isSize(name) ? format.bytes(storage[name]) : format.count(storage[name]))))),
  );
}

/** How much of the log is kept, and for whom. */
function retentionCard(log) {
  if (!log) return null;
  const holders = log.holders ?? [];
  return h(
    "section",
    { class: "card" },
    h("h2", {}, "What is kept"),
    h(
      "dl",
      { class: "table" },
      fact("Entries", `${format.count(log.entries)}, ${format.bytes(log.bytes)}`),
      fact("Proofs below the horizon", format.count(log.retained)),
      holders.length > 0 && fact("Held for", holders.map(({ author, position }) => h("div", {}, copyable(author, format.short(author)), ` at ${format.count(position)}`))),
      log.snapshotReaders > 0 && fact("Snapshots under way", format.count(log.snapshotReaders)),
      log.failure && fact("Failure", h("span", { class: "bad" }, log.failure)),
    ),
  );
}

const phases = {
  coming: ["warn", "on its way"],
  checking: ["", "installed; its proofs are being checked"],
  proven: ["ok", "every proof checked"],
  unproven: ["bad", "a proof does not hold"],
};

/** The snapshot that a node took, or is taking. */
function snapshotCard(snapshot) {
  if (!snapshot) return null;
  const { phase, position, end, detail } = snapshot;
  const [kind, text] = phases[phase] ?? ["", phase];
  return h(
    "section",
    { class: "card" },
    h("h2", {}, "Snapshot"),
    h("p", { class: kind }, text, detail && `: ${detail}`),
    end > position && h("progress", { max: end, value: position, "aria-label": `${format.count(position)} of ${format.count(end)}` }),
  );
}

function logOf(space) {
  return [
    spaceHead(space),
    h(
      "dl",
      { class: "tiles" },
      tile("Position", space.position === undefined ? "–" : format.count(space.position)),
      space.log && tile("Horizon", format.count(space.log.horizon), { note: "entries are whole from here on" }),
      tile("Epoch", space.epoch?.split("-")[0] ?? "–", { title: space.epoch }),
      tile("Members", format.count(space.members ?? 0)),
    ),
    h(
      "section",
      { class: "card" },
      h("h2", {}, "Identity"),
      h(
        "dl",
        { class: "table" },
        fact("Space", space.space && copyable(space.space)),
        fact(space.role === "pivot" ? "Working key" : "This node’s key", space.author && copyable(space.author)),
        fact("Patterns", space.patterns?.join("   ")),
        fact("Epoch", space.epoch && h("code", {}, space.epoch)),
        fact("Log root", space.logRoot && copyable(space.logRoot)),
        fact("State digest", space.stateDigest && copyable(space.stateDigest)),
      ),
    ),
    retentionCard(space.log),
    snapshotCard(space.snapshot),
    storageCard(space.storage),
  ];
}

function logView({ status }) {
  const isPivot = spacesOf(status).some((space) => space.role === "pivot");
  return [
    h("header", { class: "page-head" }, h("h1", {}, "Log"), h("p", { class: "quiet" }, isPivot ? "The order of changes: every accepted one, signed by its author." : "This node’s copy of the pivot’s log.")),
    spacesOf(status).map(logOf),
  ];
}

// All of it

const views = { nodes: nodesView, outbox: outboxView, log: logView };

/** The members of each space that is led here, by its name. */
async function membersOf(status) {
  const led = spacesOf(status).filter((space) => space.role === "pivot");
  return new Map(await Promise.all(led.map(async ({ name }) => [name, await records(`_gimbal/members${name ? `?space=${encodeURIComponent(name)}` : ""}`)])));
}

const list = async (target) => parse((await request(target)).text).items;

/** What each view asks the server for beside its status. */
const questions = {
  nodes: async (status) => ({ nodes: await records("_pivot/health/nodes"), members: await membersOf(status) }),
  outbox: async (status) => (summary(status).hasOutbox ? { outbox: await list("_gimbal/outbox"), letters: await list("_gimbal/deadletters") } : { outbox: [], letters: [] }),
  log: async () => ({}),
};

export class Fleet {
  /** `onActed` is called when something was done that changes what is shown. */
  constructor(onActed) {
    this.section = one("#fleet");
    const act = async (method, path, done) => {
      try {
        await request(path, { method });
        toast(done);
      } catch (fault) {
        complain(fault);
      }
      onActed();
    };
    delegate(this.section, {
      retry: ({ dataset }) => act("POST", `_gimbal/deadletters/${dataset.id}/retry`, "Written again"),
      forget: async ({ dataset }) => {
        const isSure = await ask("Forget this write?", `What was to be written at ${dataset.path} is lost.`, { yes: "Forget it" });
        if (isSure) await act("DELETE", `_gimbal/deadletters/${dataset.id}`, "Forgotten");
      },
    });
  }

  /** Shows a view; `isWanted` says whether the person is still there when its answers have come. */
  async draw(name, status, isWanted) {
    const asked = await questions[name](status);
    if (isWanted()) show(this.section, views[name]({ status, ...asked }));
  }
}
