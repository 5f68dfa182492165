// One key: its value, who wrote it, the concurrent writes beside it, and how it came to be.

import { ask, button, complain, delegate, h, icon, one, show, toast } from "./dom.js";
import { drafts, Editor, readKey } from "./editor.js";
import * as format from "./format.js";
import { compact, parse } from "./json.js";
import { jsonView } from "./jsonview.js";
import { request } from "./net.js";

/** How many of the log's last entries the history searches. */
const historyDepth = 100_000;
/** A history that is open is read again at most this often. */
const historyPauseMs = 3000;

/** What a write was under way is worth a word from here on. */
const noticeableMs = 1000;

const reasons = {
  "greater-stamp": "The write with the greatest stamp is shown.",
  "equal-stamps-greater-replica": "The stamps are equal: the greater replica’s write is shown.",
  "equal-stamps-greater-sequence": "The stamps are equal: the later write is shown.",
};

export class KeyDetail {
  #path = null;
  #present = null;
  #fault = null;
  #editor = null;
  #history = null;
  #historyTimer = null;
  #isReading = false;
  #isOutdated = false;
  #onRead = null;

  /** `handlers`: onClose(), onOpen(path), patterns() */
  constructor(handlers) {
    this.handlers = handlers;
    this.pane = one("#detail");
    this.body = one("#detail-body");
    delegate(this.pane, {
      close: () => this.handlers.onClose(),
      edit: () => this.edit(),
      delete: () => this.delete(),
      keep: (target) => this.#keep(target.dataset.dot),
    });
    this.pane.addEventListener(
      "toggle",
      (event) => {
        if (event.target.id === "history" && event.target.open) this.#readHistory();
      },
      true,
    );
  }

  get path() {
    return this.#path;
  }

  get isEditing() {
    return this.#editor !== null;
  }

  // What is shown

  async open(path) {
    if (path === this.#path && !this.isCreating) return;
    this.#leave();
    this.#path = path;
    this.#draw();
    await this.#read();
    if (this.#path === path && drafts.has(path) && this.#present && !this.#editor) this.edit();
  }

  close() {
    this.#leave();
    this.#path = null;
    this.#draw();
  }

  #leave() {
    this.#editor = null;
    this.isCreating = false;
    this.#present = null;
    this.#fault = null;
    this.#history = null;
    this.#onRead = null;
    this.body.replaceChildren();
    this.pane.scrollTop = 0;
  }

  /** Something happened at these paths. */
  changed(paths) {
    if (paths.includes(this.#path)) this.#read();
  }

  reload() {
    if (this.#path) this.#read();
  }

  async #read() {
    if (this.#isReading) return void (this.#isOutdated = true);
    this.#isReading = true;
    const path = this.#path;
    try {
      const present = await readKey(path);
      if (path === this.#path) this.#take(present);
    } catch (fault) {
      if (path === this.#path) this.#fault = fault;
    } finally {
      this.#isReading = false;
    }
    this.#draw();
    if (this.#present && this.#onRead) {
      const action = this.#onRead;
      this.#onRead = null;
      action();
    }
    if (this.#isOutdated || (this.#path !== path && this.#path !== null)) {
      this.#isOutdated = false;
      if (this.#path !== null) await this.#read();
    }
  }

  #take(present) {
    const isNews = this.#present && this.#present.identity !== present.identity;
    this.#fault = null;
    this.#present = present;
    this.#editor?.changed(present);
    if (isNews && one("#history", this.body)?.open) this.#historyTimer ??= setTimeout(() => this.#readHistory(), historyPauseMs);
  }

  async #readHistory() {
    this.#historyTimer = null;
    const path = this.#path;
    if (!one("#history", this.body)?.open) return;
    try {
      const { text } = await request(`_gimbal/explain?key=${path}&depth=${historyDepth}`);
      if (path === this.#path) this.#history = parse(text);
    } catch (fault) {
      complain(fault);
    }
    this.#draw();
  }

  /** Calls `action` once what stands at the key is known; at once where it is. */
  whenRead(action) {
    if (this.#present) action();
    else this.#onRead = action;
  }

  // Acts

  edit() {
    if (this.#editor || !this.#present) return;
    this.#editor = new Editor({ path: this.#path, base: this.#present, handlers: { onSaved: () => this.#closeEditor(true), onClosed: () => this.#closeEditor() } });
    this.#draw();
    this.#editor.focus();
  }

  create(prefix) {
    this.#leave();
    this.#path = null;
    this.isCreating = true;
    const close = () => (this.#leave(), this.handlers.onClose());
    this.#editor = new Editor({ path: null, prefix, handlers: { onSaved: (path) => (this.#leave(), this.handlers.onOpen(path)), onClosed: close } });
    this.#draw();
    this.#editor.focus();
  }

  #closeEditor(isSaved = false) {
    this.#editor = null;
    this.body.replaceChildren();
    this.#draw();
    if (isSaved) this.#read();
    one("[data-do=edit]", this.pane)?.focus();
  }

  async delete() {
    const path = this.#path;
    const node = this.#present?.node;
    if (!node || !(await ask(`Delete ${path}?`, "It goes on every server that holds this space.", { yes: "Delete" }))) return;
    try {
      await request(path, { method: "DELETE" });
    } catch (fault) {
      return complain(fault);
    }
    drafts.delete(path);
    const restore = () => request(path, { method: "POST", body: compact(node) }).then(() => this.handlers.onOpen(path), complain);
    toast(`Deleted ${path}`, { action: ["Undo", restore] });
    if (this.#path === path) this.handlers.onClose();
  }

  async #keep(dot) {
    const path = this.#path;
    const kept = [this.#present, ...this.#present.siblings].find((write) => write.dot === dot);
    const others = format.counted(this.#present.siblings.length, "other value");
    if (!kept || !(await ask("Keep this value?", `It is written anew, and ${others} written at the same time will be superseded.`, { yes: "Keep it" }))) return;
    try {
      await request(path, { method: "POST", body: compact(kept.node) });
      toast("Resolved: one value stands");
    } catch (fault) {
      complain(fault);
    }
    this.#read();
  }

  // Showing

  #draw() {
    const isOpen = this.#path !== null || this.isCreating;
    document.body.classList.toggle("has-detail", isOpen);
    one("#detail-empty").hidden = isOpen;
    show(one("#detail-head"), isOpen && this.#head());
    if (!isOpen) return void this.body.replaceChildren();
    if (this.#editor) {
      if (this.#editor.element.parentNode !== this.body) this.body.replaceChildren(this.#editor.element);
      return;
    }
    show(this.body, this.#content());
  }

  #head() {
    const back = button("close", null, { symbol: "back", kind: "plain only-icon back", "aria-label": "Back to the list" });
    if (this.isCreating) return [back, h("h2", { class: "detail-path" }, "New key")];
    const slash = this.#path.lastIndexOf("/") + 1;
    const canAct = this.#present?.node && !this.#editor;
    return [
      back,
      h("h2", { class: "detail-path" }, h("span", { class: "folder" }, this.#path.slice(0, slash)), h("span", { class: "leaf" }, this.#path.slice(slash))),
      h(
        "div",
        { class: "buttons" },
        canAct && button("edit", "Edit", { symbol: "edit", kind: "primary", title: "e" }),
        canAct && button("delete", null, { symbol: "trash", kind: "only-icon", "aria-label": "Delete", title: "Delete (d)" }),
        h("button", { type: "button", class: "button only-icon front", "data-do": "close", "aria-label": "Close", title: "Close (Esc)" }, icon("close")),
      ),
    ];
  }

  #content() {
    const present = this.#present;
    if (!present) return this.#fault ? this.#problem() : h("p", { class: "quiet" }, "Loading…");
    if (!present.node)
      return [
        h("div", { class: "nothing" }, h("p", {}, "There is nothing at this key."), button("edit", "Write a value", { symbol: "edit", kind: "primary" })),
        this.#historyView(),
      ];
    return [this.#fault && this.#problem(), this.#facts(), this.#siblings() ?? jsonView(present.node), this.#historyView()];
  }

  #problem() {
    return h("p", { class: "notice bad", role: "alert" }, icon("warning"), h("span", {}, `${this.#fault.message} (${this.#fault.code})`));
  }

  #facts() {
    const { created, stamp, author, name } = this.#present;
    const isShared = this.handlers.patterns().some((pattern) => format.matches(pattern, this.#path));
    const at = (text, value) => h("div", {}, h("dt", {}, text), h("dd", { title: format.time(value) }, format.ago(value)));
    return h(
      "dl",
      { class: "facts" },
      h("div", {}, h("dt", {}, "Written by"), h("dd", { title: author }, name)),
      at(stamp === created ? "Written" : "Changed", format.milliseconds(stamp)),
      stamp !== created && at("Created", format.milliseconds(created)),
      h("div", {}, h("dt", {}, "Kind"), h("dd", {}, this.#path.includes("/") ? "member" : "register")),
      !isShared && h("div", {}, h("dt", {}, "Where"), h("dd", { class: "warn" }, "on this server only")),
    );
  }

  /** Null where there is one value. */
  #siblings() {
    const { siblings } = this.#present;
    if (!siblings.length) return null;
    const card = (write, isShown) =>
      h(
        "li",
        { class: "card sibling", "data-key": write.dot },
        h(
          "header",
          {},
          h("div", {}, h("strong", { title: write.author }, write.name), h("span", { class: "quiet", title: format.time(format.milliseconds(write.stamp)) }, ` ${format.ago(format.milliseconds(write.stamp))}`), isShown && h("span", { class: "tag" }, "what reads answer")),
          h("button", { type: "button", class: "button", "data-do": "keep", "data-dot": write.dot, "aria-label": `Keep the value of ${write.name}` }, "Keep this one"),
        ),
        jsonView(write.node),
      );
    return h(
      "section",
      { class: "siblings", "aria-label": "Concurrent writes" },
      h("p", { class: "notice warn" }, icon("warning"), h("span", {}, `${format.counted(siblings.length + 1, "value")} were written here at the same time. All are kept until somebody decides.`)),
      h("ul", {}, card(this.#present, true), siblings.map((write) => card(write, false))),
    );
  }

  #historyView() {
    return h("details", { id: "history", class: "history" }, h("summary", {}, "History: who wrote what, and why this is shown"), this.#history ? this.#events() : h("p", { class: "quiet" }, "Loading…"));
  }

  #events() {
    const events = [
      ...this.#history.get("standing").items.map((event) => [event, true]),
      ...this.#history.get("superseded").items.map((event) => [event, false]),
    ];
    const reason = reasons[this.#history.get("reason").value];
    const from = Number(this.#history.get("searchedFrom").raw);
    return [
      reason && h("p", { class: "quiet" }, reason),
      events.length ? h("ol", { class: "events" }, events.map(([event, stands]) => this.#event(event, stands))) : h("p", { class: "quiet" }, "The log says nothing of this key."),
      from > 1 && h("p", { class: "quiet" }, `Older than position ${format.count(from)} was not searched.`),
    ];
  }

  #event(event, stands) {
    const number = (name) => (event.get(name).isNull ? null : Number(event.get(name).raw));
    const effective = format.milliseconds(event.get("effectiveStamp").raw);
    const isCapped = !event.get("stamp").isNull && event.get("stamp").raw !== event.get("effectiveStamp").raw;
    const skew = number("skewMilliseconds");
    const position = number("position");
    const ended = event.get("supersededBy");
    const facts = [
      position === null ? "not in the log that was searched" : `log ${format.count(position)}`,
      skew > noticeableMs && `its clock was ${format.span(skew)} ahead`,
      skew < -noticeableMs && `reached the pivot ${format.span(-skew)} later`,
      isCapped && "stamp capped",
      !ended.isNull && `ended by ${ended.get("name").value}`,
    ].filter(Boolean);
    const value = event.get("value");
    const isDeletion = ["clear", "remove"].includes(event.get("kind").value);
    return h(
      "li",
      { class: stands ? "stands" : "", "data-key": `${event.get("author").value}/${event.get("incarnation").value}/${event.get("sequence").value}` },
      h("p", {}, h("strong", { title: event.get("author").value }, event.get("name").value), isDeletion ? " deleted it " : " wrote ", h("span", { class: "quiet", title: format.time(effective) }, format.ago(effective)), stands && h("span", { class: "tag" }, "stands")),
      h("p", { class: "quiet" }, facts.join(" · ")),
      !isDeletion && h("code", { class: "short-value" }, compact(value).slice(0, 400)),
    );
  }
}
