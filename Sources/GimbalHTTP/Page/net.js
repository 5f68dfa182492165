// The server: requests with their refusals, and what it tells by itself.

/** Where the server is, also when a proxy shows it below a path. */
const base = new URL(".", document.baseURI);

/** What the server refused (its code and sentence), or that it did not answer. */
export class Refusal extends Error {
  constructor(status, code, sentence) {
    super(sentence);
    Object.assign(this, { status, code });
  }

  get isUnreachable() {
    return this.status === 0;
  }
}

/** How long an answer may take. */
const patience = 15_000;

/**
 * Sends one request. Throws `Refusal` for everything but success.
 *
 * `read` is the freshness that is wanted (`Gimbal-Read`).
 */
export async function request(target, { method = "GET", body, read } = {}) {
  const headers = read ? { "Gimbal-Read": read } : {};
  let response;
  let text;
  try {
    response = await fetch(new URL(target, base), { method, body, headers, cache: "no-store", signal: AbortSignal.timeout(patience) });
    text = await response.text();
  } catch {
    throw new Refusal(0, "unreachable", "The server does not answer.");
  }
  if (!response.ok) throw new Refusal(response.status, response.headers.get("Gimbal-Error") ?? String(response.status), sentence(text, response));
  return { text, freshness: response.headers.get("Gimbal-Freshness"), header: (name) => response.headers.get(name) };
}

function sentence(text, response) {
  const plain = text.replace(/^(ooo|storage|json): /, "").trim() || response.statusText || `Status ${response.status}`;
  return plain[0].toUpperCase() + plain.slice(1);
}

/** JSON whose numbers are all small: the server's own records. */
export const records = async (target) => JSON.parse((await request(target)).text);

// What is told over WebSocket.

const firstPause = 300;
const longestPause = 5000;

/**
 * Follows the names of changed keys: `GET TARGET?changes=1`. Connects anew for as long as it is not closed, and comes back
 * with the last version, so that it misses nothing.
 *
 * Calls `onReset` when everything has to be read again (first of all, once it is connected), `onNames` with changed paths, and
 * `onState` with "connecting", "live" or "lost".
 */
export class Changes {
  #socket;
  #version;
  #pause = firstPause;
  #timer;
  #isClosed = false;

  constructor(target, handlers) {
    Object.assign(this, { target, handlers });
    this.#connect("connecting");
  }

  #connect(state) {
    this.handlers.onState(state);
    const url = new URL(`${this.target}?changes=1${this.#version ? `&v=${this.#version}` : ""}`, base);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    socket.onopen = () => {
      this.#pause = firstPause;
      this.handlers.onState("live");
    };
    socket.onmessage = ({ data }) => this.#take(JSON.parse(new TextDecoder().decode(data)));
    socket.onclose = () => {
      if (this.#isClosed || socket !== this.#socket) return;
      this.handlers.onState("lost");
      this.#timer = setTimeout(() => this.#connect("lost"), this.#pause);
      this.#pause = Math.min(this.#pause * 2, longestPause);
    };
  }

  #take({ snapshot, version, data }) {
    this.#version = version;
    if (snapshot) this.handlers.onReset();
    else this.handlers.onNames(data);
  }

  /** For a connection that may be dead without anybody having said so. */
  restart() {
    clearTimeout(this.#timer);
    const old = this.#socket;
    this.#connect("lost");
    old.close();
  }

  close() {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#socket.close();
  }
}
