// The list of keys, newest first: read page by page as it is scrolled, kept up to date by the names of changed keys. Only the
// rows in sight are elements, so a collection may have any size.

import { h, one } from "./dom.js";
import * as format from "./format.js";
import { compact, parse } from "./json.js";
import { Changes, Refusal, request } from "./net.js";

const rowHeight = 60;
/** Rows beyond the visible ones, above and below. */
const margin = 6;
const pageSize = 100;
/** A list that is read again keeps at most so many rows. */
const reloadLimit = 1000;
/** Changes are taken together for so long. */
const gatherMs = 120;
/** With more unknown names at once, reading the first page again costs less than asking for each. */
const unknownLimit = 60;
/** How often the number of keys is asked for while keys come and go. */
const countPauseMs = 3000;
const previewLength = 240;
const ageMs = 5000; // How often ages are shown anew.
const openingMs = 1500; // How long the first list may come by the WebSocket before it is asked for without one.
const retryMs = 2000; // Between two tries to read a list from a server that is away.

/** Newest first, then by path, as the server orders lists. */
const precedes = (left, right) => (left.created === right.created ? left.path < right.path : left.created > right.created);

function makeRow(node) {
  const created = BigInt(node.get("created").raw);
  const updated = BigInt(node.get("updated").raw);
  const data = node.get("data");
  return {
    path: node.get("path").value,
    created,
    stamp: updated || created,
    preview: compact(data.end - data.start > 4 * previewLength ? cut(data) : data).slice(0, previewLength),
    isStale: false,
    changedAt: 0,
  };
}

/** The beginning of a large value, not laid out. */
const cut = (node) => ({ raw: node.text.slice(node.start, node.start + previewLength) });

export class KeyList {
  #rows = [];
  #byPath = new Map();
  #cursor = null;
  #total = 0;
  #source = null;
  #changes = null;
  #waiting = new Set();
  #timer = null;
  #countTimer = null;
  #isLoading = false;
  #isMissing = false;
  #active = null;
  #elements = new Map();
  #spare = [];
  #nextID = 0;
  #isRenderPlanned = false;
  #generation = 0;

  /** `handlers`: onOpen(path), onState(state), onChange(paths), onReset(), onFreshness(text), onFault(refusal), isDraft(path) */
  constructor(handlers) {
    this.handlers = handlers;
    this.box = one("#list");
    this.canvas = one("#rows");
    this.status = one("#list-status");
    this.box.addEventListener("scroll", () => this.render(), { passive: true });
    this.box.addEventListener("keydown", (event) => this.#keydown(event));
    this.canvas.addEventListener("click", (event) => {
      const path = event.target.closest("[role=option]")?.dataset.path;
      if (path) this.open(path);
    });
    new ResizeObserver(() => this.render()).observe(this.box);
    setInterval(() => this.render(), ageMs);
  }

  get active() {
    return this.#active;
  }

  get pattern() {
    return this.#source?.pattern;
  }

  /** Shows what matches a pattern and has a text in its path. */
  show(pattern, text) {
    if (this.#source?.pattern === pattern && this.#source.text === text) return;
    const isSamePattern = this.#source?.pattern === pattern;
    this.#source = { pattern, text };
    this.#clear();
    if (isSamePattern) return void this.#load();
    this.#changes?.close();
    this.#changes = new Changes(pattern, {
      onState: (state) => this.handlers.onState(state),
      onReset: () => {
        this.handlers.onReset();
        this.reload();
      },
      onNames: (paths) => this.#note(paths),
    });
    // Where no WebSocket gets through the list is there all the same.
    const generation = this.#generation;
    setTimeout(() => generation === this.#generation && !this.#rows.length && this.#load(), openingMs);
    this.render();
  }

  /** After a time in which the connection may have died unnoticed. */
  reconnect() {
    this.#changes?.restart();
  }

  #clear() {
    this.#generation += 1;
    this.#rows = [];
    this.#byPath.clear();
    this.#cursor = null;
    this.#isMissing = false;
    this.#isLoading = false;
    this.#total = 0;
    this.#active = null;
    this.#waiting.clear();
    this.box.scrollTop = 0;
    this.#say("Loading…");
  }

  // Reading

  #target(limit, cursor) {
    const query = new URLSearchParams({ limit });
    if (this.#source.text) query.set("contains", this.#source.text);
    if (cursor) query.set("cursor", cursor);
    return `${this.#source.pattern}?${query}`;
  }

  /** Reads what is shown again, as much of it as there was. */
  async reload() {
    const limit = Math.min(Math.max(this.#rows.length, pageSize), reloadLimit);
    await this.#load({ limit, isReload: true });
  }

  async #load({ limit = pageSize, isReload = false } = {}) {
    if (this.#isLoading && !isReload) return;
    this.#isLoading = true;
    const generation = isReload ? (this.#generation += 1) : this.#generation;
    try {
      const answer = await request(this.#target(limit, isReload ? null : this.#cursor));
      if (generation !== this.#generation) return;
      if (isReload) {
        this.#rows = [];
        this.#byPath.clear();
        this.#isMissing = false;
      }
      for (const node of parse(answer.text).items) this.#place(makeRow(node));
      this.#cursor = answer.header("Gimbal-Cursor");
      this.#total = Number(answer.header("Gimbal-Total"));
      this.handlers.onFreshness(answer.freshness);
      this.#isLoading = false;
      this.#settle();
    } catch (fault) {
      if (generation !== this.#generation) return;
      this.#isLoading = false;
      this.#fail(fault);
    }
  }

  #settle() {
    const isFiltered = this.#source.text || this.#source.pattern !== "**";
    if (!this.#rows.length) this.#say(isFiltered ? "Nothing matches." : "No keys yet. Press n to write the first one.");
    else this.#say(null);
    if (!this.#byPath.has(this.#active)) this.#active = null;
    if (!this.#active && document.activeElement === this.box) this.move(1);
    this.render();
    if (this.#waiting.size) this.#plan();
  }

  #fail(fault) {
    if (!(fault instanceof Refusal)) throw fault;
    this.handlers.onFault(fault);
    this.#say(this.#rows.length ? null : `${fault.message} (${fault.code})`, true);
    if (fault.status === 400) {
      // The text is not a pattern, so there is nothing to follow.
      this.#changes.close();
      this.handlers.onState(null);
    }
    // A server that is away or has no copy yet is asked again.
    const generation = this.#generation;
    if (fault.status === 0 || fault.status >= 500) setTimeout(() => generation === this.#generation && this.#load(), retryMs);
    this.render();
  }

  #say(text, isFault = false) {
    this.status.hidden = !text;
    this.status.textContent = text ?? "";
    this.status.classList.toggle("bad", isFault);
  }

  // Changes

  #note(paths) {
    this.handlers.onChange(paths);
    const wanted = this.#source.text.toLowerCase();
    for (const path of paths) if (path.toLowerCase().includes(wanted)) this.#waiting.add(path);
    this.#plan();
  }

  #plan() {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#take();
    }, gatherMs);
  }

  async #take() {
    // A page that is on its way may be older than these names; they have their turn after it.
    if (this.#isLoading || !this.#waiting.size) return;
    const names = [...this.#waiting];
    this.#waiting.clear();
    const unknown = names.filter((path) => !this.#byPath.has(path));
    if (unknown.length > unknownLimit) {
      if (this.box.scrollTop < rowHeight) return this.reload();
      this.#isMissing = true;
      this.#recount();
    }
    const [first, last] = this.#range();
    const visible = new Set(this.#rows.slice(first, last).map((row) => row.path));
    const asked = this.#isMissing ? [] : unknown;
    for (const path of names) {
      if (visible.has(path)) asked.push(path);
      else if (this.#byPath.has(path)) this.#byPath.get(path).isStale = true;
    }
    await this.#refresh(asked);
    if (this.#waiting.size) this.#plan();
  }

  async #refresh(paths) {
    const generation = this.#generation;
    await Promise.all(
      paths.map(async (path) => {
        try {
          // What the server told of is in its copy already.
          const { text } = await request(path, { read: "local" });
          if (generation === this.#generation) this.#place(makeRow(parse(text)), true);
        } catch (fault) {
          if (generation === this.#generation && fault.status === 404) this.#remove(path);
        }
      }),
    );
    this.render();
  }

  /** Puts a row where it belongs; one that lies beyond the last page that was read is only counted. */
  #place(row, isChange = false) {
    const known = this.#byPath.get(row.path);
    if (known?.created === row.created) {
      if (isChange && known.stamp !== row.stamp) row.changedAt = performance.now();
      return void Object.assign(known, row);
    }
    if (known) this.#remove(row.path);
    let low = 0;
    let high = this.#rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (precedes(this.#rows[middle], row)) low = middle + 1;
      else high = middle;
    }
    if (isChange) {
      this.#recount();
      if (low === this.#rows.length && this.#cursor) return;
      row.changedAt = performance.now();
      this.#total += 1;
      this.#say(null);
    }
    this.#rows.splice(low, 0, row);
    this.#byPath.set(row.path, row);
    if (isChange && low * rowHeight < this.box.scrollTop) this.#shift(1);
  }

  #remove(path) {
    this.#recount();
    const row = this.#byPath.get(path);
    if (!row) return;
    const index = this.#rows.indexOf(row);
    if (this.#active === path) this.#active = this.#rows[index + 1]?.path ?? this.#rows[index - 1]?.path ?? null;
    this.#rows.splice(index, 1);
    this.#byPath.delete(path);
    this.#total -= 1;
    if ((index + 1) * rowHeight <= this.box.scrollTop) this.#shift(-1);
    if (!this.#rows.length) this.#settle();
  }

  /** What is in sight stays where it is when rows above it come or go. */
  #shift(rows) {
    const top = this.box.scrollTop;
    this.#resize();
    this.box.scrollTop = top + rows * rowHeight;
  }

  #recount() {
    this.#countTimer ??= setTimeout(async () => {
      try {
        this.#total = Number((await request(this.#target(1), { read: "local" })).header("Gimbal-Total"));
        this.render();
      } catch {
        // The next change asks again.
      }
      this.#countTimer = null;
    }, countPauseMs);
  }

  // Showing

  render() {
    if (this.#isRenderPlanned) return;
    this.#isRenderPlanned = true;
    requestAnimationFrame(() => {
      this.#isRenderPlanned = false;
      this.#draw();
    });
  }

  #range() {
    const first = Math.max(0, Math.floor(this.box.scrollTop / rowHeight) - margin);
    const last = Math.min(this.#rows.length, Math.ceil((this.box.scrollTop + this.box.clientHeight) / rowHeight) + margin);
    return [first, last];
  }

  #resize() {
    this.canvas.style.height = `${this.#rows.length * rowHeight}px`;
  }

  #draw() {
    one("#list-count").textContent = this.#rows.length || this.#total ? format.counted(this.#total, "key") : "";
    one("#list-more").hidden = !this.#isMissing;
    this.#resize();
    const [first, last] = this.#range();
    const shown = this.#rows.slice(first, last);
    const paths = new Set(shown.map((row) => row.path));
    for (const [path, element] of this.#elements) {
      if (paths.has(path)) continue;
      this.#elements.delete(path);
      element.remove();
      this.#spare.push(element);
    }
    shown.forEach((row, index) => this.#drawRow(row, first + index));
    if (this.#active && this.#elements.has(this.#active)) this.box.setAttribute("aria-activedescendant", this.#elements.get(this.#active).id);
    else this.box.removeAttribute("aria-activedescendant");
    if (last >= this.#rows.length - margin && this.#cursor && !this.#isMissing) this.#load();
    const stale = shown.filter((row) => row.isStale).map((row) => row.path);
    for (const row of shown) row.isStale = false;
    if (stale.length) this.#refresh(stale);
  }

  #drawRow(row, index) {
    let element = this.#elements.get(row.path);
    if (!element) {
      element = this.#spare.pop() ?? this.#makeElement();
      element.dataset.path = row.path;
      const slash = row.path.lastIndexOf("/") + 1;
      one(".folder", element).textContent = row.path.slice(0, slash);
      one(".leaf", element).textContent = row.path.slice(slash);
      element.classList.remove("changed");
      this.#elements.set(row.path, element);
      this.canvas.append(element);
    }
    element.style.transform = `translateY(${index * rowHeight}px)`;
    element.setAttribute("aria-posinset", index + 1);
    element.setAttribute("aria-setsize", this.#total || -1);
    element.setAttribute("aria-selected", row.path === this.opened);
    element.classList.toggle("active", row.path === this.#active);
    one(".preview", element).textContent = row.preview;
    one(".age", element).textContent = this.handlers.isDraft(row.path) ? "unsaved" : format.age(format.milliseconds(row.stamp));
    one(".age", element).classList.toggle("warn", this.handlers.isDraft(row.path));
    if (row.changedAt && performance.now() - row.changedAt < 1000) {
      row.changedAt = 0;
      element.classList.remove("changed");
      requestAnimationFrame(() => element.classList.add("changed"));
    }
  }

  #makeElement() {
    this.#nextID += 1;
    return h(
      "div",
      { role: "option", id: `row-${this.#nextID}`, class: "row" },
      h("span", { class: "path" }, h("span", { class: "folder" }), h("span", { class: "leaf" })),
      h("span", { class: "age" }),
      h("span", { class: "preview" }),
    );
  }

  // Moving

  /** Marks the key that is open. */
  mark(path) {
    this.opened = path;
    if (path && this.#byPath.has(path)) this.#active = path;
    this.render();
  }

  open(path) {
    this.#active = path;
    this.handlers.onOpen(path);
    this.render();
  }

  /** Moves the mark by so many rows and keeps it in sight. */
  move(by) {
    if (!this.#rows.length) return;
    const present = this.#rows.findIndex((row) => row.path === this.#active);
    const index = present < 0 ? (by < 0 ? this.#rows.length - 1 : 0) : Math.min(Math.max(present + by, 0), this.#rows.length - 1);
    this.#active = this.#rows[index].path;
    const top = index * rowHeight;
    if (top < this.box.scrollTop) this.box.scrollTop = top;
    else if (top + rowHeight > this.box.scrollTop + this.box.clientHeight) this.box.scrollTop = top + rowHeight - this.box.clientHeight;
    this.render();
  }

  focus() {
    if (!this.#active) this.move(1);
    this.box.focus({ preventScroll: true });
  }

  #keydown(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(this.box.clientHeight / rowHeight) - 1);
    const steps = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.key in steps) this.move(steps[event.key]);
    else if (event.key === "Enter" && this.#active) this.open(this.#active);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
