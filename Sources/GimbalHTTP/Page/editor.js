// Editing one value. What was typed is kept until it is saved or thrown away on purpose: over a visit to another key, a
// reload, a server that does not answer, and a change of the key by somebody else.

import { ask, button, delegate, h, show, toast } from "./dom.js";
import * as format from "./format.js";
import { compact, JSONFault, parse, pretty } from "./json.js";
import { jsonView } from "./jsonview.js";
import { request } from "./net.js";

const pathForm = /^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?(\/[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)*(\/\*)?$/;

/** A key that is not there. */
const nothing = { node: null, identity: "", siblings: [] };

/** What stands at a key, with its siblings: the identity changes with each write that arrives. */
export async function readKey(path) {
  try {
    const { text, freshness } = await request(`${path}?siblings=1`);
    const shown = parse(text);
    const siblings = shown.get("siblings").items.map(describe);
    const value = describe(shown);
    return { ...value, freshness, siblings, identity: [value.dot, ...siblings.map((sibling) => sibling.dot)].sort().join(" ") };
  } catch (fault) {
    if (fault.status === 404) return nothing;
    throw fault;
  }
}

function describe(node) {
  const text = (name) => node.get(name).value;
  const updated = text("updated");
  return {
    node: node.get("data"),
    created: text("created"),
    stamp: updated === "0" ? text("created") : updated,
    author: text("author"),
    name: text("name"),
    dot: `${text("author")}/${text("incarnation")}/${text("sequence")}`,
  };
}

/** Texts that are not saved, by path; the name of a key that is yet to be is "". */
class Drafts {
  #texts = new Map();
  static #place = "gimbal-drafts";

  constructor() {
    try {
      this.#texts = new Map(JSON.parse(sessionStorage.getItem(Drafts.#place) ?? "[]"));
    } catch {
      // Without a store drafts live as long as the page.
    }
  }

  has = (path) => this.#texts.has(path);
  get = (path) => this.#texts.get(path);

  set(path, draft) {
    this.#texts.set(path, draft);
    this.#store();
  }

  delete(path) {
    if (this.#texts.delete(path)) this.#store();
  }

  #store() {
    try {
      sessionStorage.setItem(Drafts.#place, JSON.stringify([...this.#texts]));
    } catch {
      // As above.
    }
  }
}

export const drafts = new Drafts();

export class Editor {
  #base;
  #isBusy = false;

  /**
   * `path` is null for a new key, which begins with `prefix`. `base` is what `readKey` gave.
   *
   * `handlers`: onSaved(path), onClosed()
   */
  constructor({ path, prefix = "", base = nothing, handlers }) {
    this.path = path;
    this.handlers = handlers;
    this.#base = base;
    const draft = drafts.get(path ?? "");
    this.original = base.node ? pretty(base.node) : "";
    this.#build(draft?.path ?? prefix, draft?.text ?? this.original);
    if (draft && path !== null && draft.identity !== base.identity) {
      this.#base = { ...base, identity: draft.identity };
      this.#conflict(base);
    }
    this.#check();
  }

  get isDirty() {
    return this.text.value !== this.original;
  }

  #build(path, text) {
    this.name = h("input", { id: "new-path", type: "text", value: path, autocomplete: "off", autocapitalize: "none", spellcheck: "false", placeholder: "things/42", "aria-describedby": "new-path-help" });
    this.text = h("textarea", { id: "editor", "aria-label": "Value, as JSON", spellcheck: "false", autocapitalize: "none", autocomplete: "off", "aria-describedby": "editor-state" });
    this.text.value = text;
    this.state = h("p", { id: "editor-state", class: "editor-state", "aria-live": "polite" });
    this.conflict = h("div", { class: "conflict", role: "alert", hidden: true });
    this.save = button("save", "Save", { kind: "primary", symbol: "check", title: "Ctrl+Enter" });
    this.element = h(
      "div",
      { class: "editor" },
      this.path === null &&
        h("div", { class: "field" }, h("label", { for: "new-path" }, "Path"), this.name, h("p", { id: "new-path-help", class: "hint" }, "Segments of letters, digits, “.”, “_” and “-”, joined by “/”. End with /* and the server picks a fresh name.")),
      this.conflict,
      this.text,
      this.state,
      h("div", { class: "buttons" }, button("format", "Tidy"), h("span", { class: "spring" }), button("cancel", "Cancel", { title: "Esc" }), this.save),
    );
    delegate(this.element, {
      save: () => this.commit(),
      cancel: () => this.cancel(),
      format: () => this.#format(),
      mine: () => this.#write(),
      theirs: () => this.#takeTheirs(),
      both: () => this.#goOn(),
    });
    for (const field of [this.text, this.name]) field.addEventListener("input", () => this.#changed());
    this.element.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.commit();
      else if (event.key === "Escape") this.cancel();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
  }

  focus() {
    const field = this.path === null && !pathForm.test(this.name.value) ? this.name : this.text;
    field.focus();
    field.setSelectionRange(field === this.name ? field.value.length : 0, field === this.name ? field.value.length : 0);
  }

  // What is typed

  #changed() {
    if (this.isDirty) drafts.set(this.path ?? "", { text: this.text.value, path: this.name.value, identity: this.#base.identity });
    else drafts.delete(this.path ?? "");
    this.#check();
  }

  /** The value, or null with the reason shown. */
  #check() {
    try {
      const node = parse(this.text.value);
      this.#say(`Valid JSON, ${format.bytes(new TextEncoder().encode(compact(node)).length)}`, "ok");
      return node;
    } catch (fault) {
      if (!(fault instanceof JSONFault)) throw fault;
      this.#say(this.text.value.trim() ? fault.message : "A JSON value is expected: a text stands in quotes.", this.text.value.trim() ? "bad" : "");
      this.faultOffset = fault.offset;
      return null;
    }
  }

  #say(text, kind) {
    this.state.textContent = text;
    this.state.className = `editor-state ${kind}`;
    this.text.setAttribute("aria-invalid", kind === "bad");
  }

  #format() {
    const node = this.#check();
    if (!node) return this.#showFault();
    this.text.value = pretty(node);
    this.#changed();
    this.text.focus();
  }

  #showFault() {
    this.text.focus();
    this.text.setSelectionRange(this.faultOffset, this.faultOffset);
  }

  // Saving

  async commit() {
    if (this.#isBusy) return;
    const node = this.#check();
    if (!node) return this.#showFault();
    const path = this.path ?? this.name.value.trim();
    if (!pathForm.test(path)) {
      this.#say("This is no path of a key.", "bad");
      return this.name.focus();
    }
    if (this.#base.node && !this.#base.siblings.length && compact(node) === compact(this.#base.node)) {
      drafts.delete(path);
      toast("Nothing was changed");
      return this.handlers.onClosed();
    }
    await this.#busily(async () => {
      if (!path.endsWith("/*")) {
        const present = await readKey(path);
        if (present.identity !== this.#base.identity) return this.#conflict(present);
      }
      await this.#send(path, node);
    });
  }

  /** Writes over whatever came in between, which the person has seen. */
  async #write() {
    const node = this.#check();
    if (!node) return this.#showFault();
    await this.#busily(() => this.#send(this.path ?? this.name.value.trim(), node));
  }

  async #send(path, node) {
    const { text } = await request(path, { method: "POST", body: compact(node) });
    drafts.delete(this.path ?? "");
    toast("Saved");
    this.handlers.onSaved(path.endsWith("/*") ? path.slice(0, -1) + JSON.parse(text).index : path);
  }

  async #busily(work) {
    this.#isBusy = true;
    this.save.disabled = true;
    try {
      await work();
    } catch (fault) {
      this.#say(`Not saved: ${fault.message}${fault.code ? ` (${fault.code})` : ""}`, "bad");
    } finally {
      this.#isBusy = false;
      this.save.disabled = false;
    }
  }

  async cancel() {
    if (this.isDirty && !(await ask("Discard your change?", "What you typed is lost.", { yes: "Discard", no: "Keep editing" }))) return this.text.focus();
    drafts.delete(this.path ?? "");
    this.handlers.onClosed();
  }

  // Somebody else was faster

  /** Tells the editor what stands there now. */
  changed(present) {
    if (this.#isBusy || present.identity === this.#base.identity) return;
    if (this.isDirty) return this.#conflict(present);
    this.#base = present;
    this.original = present.node ? pretty(present.node) : "";
    this.text.value = this.original;
    this.#check();
    toast(present.node ? `${present.name} changed this key: the editor shows the new value` : "This key was deleted");
  }

  #conflict(theirs) {
    this.theirs = theirs;
    const known = new Set((this.#base.node ? pretty(this.#base.node) : "").split("\n"));
    const what = theirs.node
      ? this.#base.node || this.path !== null
        ? `${theirs.name} changed this key ${format.ago(format.milliseconds(theirs.stamp))}, while you were editing it`
        : "There is a value at this path already"
      : "This key was deleted while you were editing it";
    show(
      this.conflict,
      h("h3", {}, what),
      theirs.node && h("p", { class: "label" }, theirs.siblings.length ? `Theirs, and ${format.counted(theirs.siblings.length, "concurrent write")}` : "Theirs"),
      theirs.node && jsonView(theirs.node, { isMarked: (line) => known.size > 1 && !known.has(line) }),
      h("div", { class: "buttons" }, button("mine", "Save mine", { kind: "primary" }), button("theirs", theirs.node ? "Take theirs" : "Let it go"), theirs.node && button("both", "Go on editing")),
      h("p", { class: "label" }, "Yours"),
    );
    this.conflict.hidden = false;
  }

  #settle() {
    this.#base = this.theirs;
    this.original = this.theirs.node ? pretty(this.theirs.node) : "";
    this.conflict.hidden = true;
  }

  #takeTheirs() {
    const { value } = this.text;
    this.#settle();
    drafts.delete(this.path ?? "");
    if (!this.theirs.node) return this.handlers.onClosed();
    this.text.value = this.original;
    this.#check();
    const undo = () => {
      this.text.value = value;
      this.#changed();
    };
    toast("Your text was replaced", { action: ["Undo", undo] });
    this.text.focus();
  }

  #goOn() {
    this.#settle();
    this.#changed();
    this.text.focus();
  }
}
