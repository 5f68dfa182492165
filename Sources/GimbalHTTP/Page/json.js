// JSON that loses nothing: numbers keep their digits (1.50, 2^64), names their order, as the store keeps them byte for byte.

const space = /[ \t\n\r]*/y;
// Written out so that no text can be taken apart in two ways: a string without an end costs no more than one with it.
const string = /"[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\u0000-\u001f]*)*"/y;
const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const literal = /true|false|null/y;

/** The nesting that the server accepts. */
const depthLimit = 128;

export class JSONFault extends Error {
  constructor(text, offset, what) {
    const before = text.slice(0, offset).split("\n");
    super(`Line ${before.length}, column ${before.at(-1).length + 1}: ${what}`);
    this.offset = offset;
  }
}

/**
 * One value of a JSON text (RFC 8259).
 *
 * `type` is "object" (with `members`, pairs of raw name and node), "array" (with `items`), "string", "number" or "literal".
 */
class Node {
  constructor(text, start, type) {
    Object.assign(this, { text, start, type, end: start });
  }

  /** As it is written in the text. */
  get raw() {
    return this.text.slice(this.start, this.end);
  }

  /** The member of that name; the last one, if there are several. */
  get(name) {
    return this.members?.findLast(([raw]) => raw.length === name.length + 2 ? raw.slice(1, -1) === name : JSON.parse(raw) === name)?.[1];
  }

  /** A string's text; anything else as it is written. */
  get value() {
    return this.type === "string" ? JSON.parse(this.raw) : this.raw;
  }

  get isNull() {
    return this.type === "literal" && this.raw === "null";
  }
}

class Reader {
  constructor(text) {
    this.text = text;
    this.at = 0;
  }

  take(pattern) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found) this.at = pattern.lastIndex;
    return found?.[0];
  }

  fail(what) {
    throw new JSONFault(this.text, this.at, this.at >= this.text.length ? "the text ends too early" : what);
  }

  expect(character, what) {
    this.take(space);
    if (this.text[this.at] !== character) this.fail(what);
    this.at += 1;
  }

  value(depth) {
    this.take(space);
    const start = this.at;
    const first = this.text[start];
    if (first === "{" || first === "[") {
      if (depth >= depthLimit) this.fail(`nested deeper than ${depthLimit}`);
      return first === "{" ? this.object(depth) : this.array(depth);
    }
    const type = first === '"' ? "string" : first === "-" || (first >= "0" && first <= "9") ? "number" : "literal";
    if (!this.take({ string, number, literal }[type])) this.fail(type === "literal" ? "a value is expected" : type === "string" ? "a text that does not end, or holds what needs an escape" : "not a number");
    const node = new Node(this.text, start, type);
    node.end = this.at;
    return node;
  }

  object(depth) {
    const node = new Node(this.text, this.at, "object");
    node.members = [];
    this.list("}", () => {
      this.take(space);
      const name = this.take(string) ?? this.fail('a name in "…" is expected');
      this.expect(":", '":" is expected after a name');
      node.members.push([name, this.value(depth + 1)]);
    });
    node.end = this.at;
    return node;
  }

  array(depth) {
    const node = new Node(this.text, this.at, "array");
    node.items = [];
    this.list("]", () => node.items.push(this.value(depth + 1)));
    node.end = this.at;
    return node;
  }

  list(end, element) {
    this.at += 1;
    this.take(space);
    if (this.text[this.at] !== end) {
      element();
      while ((this.take(space), this.text[this.at] === ",")) {
        this.at += 1;
        element();
      }
    }
    this.expect(end, `"," or "${end}" is expected`);
  }
}

/** Throws `JSONFault` for what is no JSON. */
export function parse(text) {
  const reader = new Reader(text);
  const node = reader.value(0);
  reader.take(space);
  if (reader.at < text.length) reader.fail("nothing may follow the value");
  return node;
}

/** The same value without the spaces between its parts. */
export function compact(node) {
  if (node.members) return `{${node.members.map(([name, value]) => `${name}:${compact(value)}`).join(",")}}`;
  if (node.items) return `[${node.items.map(compact).join(",")}]`;
  return node.raw;
}

/** What is short and flat stays on one line. */
const inlineLimit = 56;

/** Walks through a value as it is laid out for people; `put(text, kind)` gets its pieces. */
export function layOut(node, put, indent = "") {
  const parts = node.members ?? node.items?.map((item) => [null, item]);
  if (!parts) return put(node.raw, node.type);
  const [open, close] = node.members ? "{}" : "[]";
  if (!parts.length) return put(open + close, "mark");
  const isFlat = parts.every(([, part]) => !part.members && !part.items) && node.end - node.start <= inlineLimit;
  const inner = `${indent}  `;
  put(open, "mark");
  parts.forEach(([name, part], index) => {
    put(`${index ? "," : ""}${isFlat ? (index || node.members ? " " : "") : `\n${inner}`}`, "mark");
    if (name !== null) {
      put(name, "name");
      put(": ", "mark");
    }
    layOut(part, put, inner);
  });
  put(`${isFlat ? (node.members ? " " : "") : `\n${indent}`}${close}`, "mark");
}

export function pretty(node) {
  const pieces = [];
  layOut(node, (text) => pieces.push(text));
  return pieces.join("");
}
