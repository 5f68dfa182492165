// The page: which view is shown, how the server stands, and the keyboard.

import { drafts } from "./editor.js";
import { h, icon, one, show } from "./dom.js";
import { Fleet, faultNotices, summary } from "./fleet.js";
import * as format from "./format.js";
import { KeyDetail } from "./keydetail.js";
import { KeyList } from "./keylist.js";
import { Changes, records } from "./net.js";

const everything = "**";
const statusPauseMs = 2500;
const findPauseMs = 200;
/** After so long out of sight a connection may be dead without a word. */
const sleepMs = 30_000;

const titles = { keys: "Keys", nodes: "Nodes", outbox: "Outbox", log: "Log" };
const symbols = { keys: "keys", nodes: "nodes", outbox: "outbox", log: "log" };

let status = null;
let isReachable = true;
/** Of the list's names of changed keys; null where nothing is followed. */
let socketState = null;
let hiddenAt = null;

// Where the person is: #/keys?in=PATTERN&find=TEXT&key=PATH, #/nodes, #/outbox, #/log

function place() {
  const [view, query] = location.hash.replace(/^#\/?/, "").split("?");
  const parts = new URLSearchParams(query);
  return { view: view in titles ? view : "keys", pattern: parts.get("in") || everything, text: parts.get("find") ?? "", key: parts.get("key") };
}

/** Goes somewhere; what is not named stays as it is. `replaces`: without a step in the browser's history. */
function go(change, { replaces = false } = {}) {
  const next = { ...place(), ...change };
  const query = new URLSearchParams();
  if (next.view === "keys") {
    if (next.pattern !== everything) query.set("in", next.pattern);
    if (next.text) query.set("find", next.text);
    if (next.key) query.set("key", next.key);
  }
  // Paths stay readable.
  const text = query.toString().replaceAll("%2F", "/").replaceAll("%2A", "*");
  const hash = `#/${next.view}${text ? `?${text}` : ""}`;
  if (hash === location.hash) return;
  history[replaces ? "replaceState" : "pushState"](null, "", hash);
  arrive();
}

function arrive() {
  const { view, pattern, text, key } = place();
  document.body.dataset.view = view;
  document.title = `${key ?? titles[view]} · Gimbal`;
  one("#keys").hidden = view !== "keys";
  one("#fleet").hidden = view === "keys";
  drawTabs();
  if (view !== "keys") return void refresh();
  const field = one("#find");
  if (document.activeElement !== field) field.value = text || (isOffered(pattern) ? "" : pattern);
  drawPatterns();
  list.show(pattern, text);
  if (key) detail.open(key);
  else if (!detail.isCreating) detail.close();
  list.mark(key);
  watchKey(key);
}

// Keys

const list = new KeyList({
  onOpen: (key) => go({ key }, { replaces: Boolean(place().key) }),
  onState: (state) => {
    socketState = state;
    drawLink();
  },
  onChange: (paths) => detail.changed(paths),
  onReset: () => detail.reload(),
  onFreshness: (value) => {
    one("#freshness").textContent = value === "local" ? "own copy: the pivot is away" : "";
  },
  onFault: () => drawLink(),
  isDraft: (path) => drafts.has(path),
});

const detail = new KeyDetail({
  onClose: () => {
    detail.isCreating = false;
    if (place().key) go({ key: null });
    else detail.close();
    list.focus();
  },
  onOpen: (key) => go({ view: "keys", key }),
  patterns: () => summary(status).patterns,
});

/** A key outside of the list's pattern has a subscription of its own. */
let ownChanges = null;
function watchKey(key) {
  const wanted = key && !format.matches(list.pattern, key) ? key : null;
  if (ownChanges?.target === wanted) return;
  ownChanges?.close();
  ownChanges = wanted && new Changes(wanted, { onState: () => {}, onReset: () => detail.reload(), onNames: () => detail.reload() });
}

const offered = () => [everything, ...summary(status).patterns.filter((pattern) => pattern.includes("*") && pattern !== everything)];
const isOffered = (pattern) => offered().includes(pattern);

function drawPatterns() {
  const { pattern } = place();
  const chips = offered();
  if (!chips.includes(pattern)) chips.push(pattern);
  show(
    one("#patterns"),
    chips.length > 1 && chips.map((chip) => h("button", { type: "button", class: "chip", "data-pattern": chip, "aria-pressed": String(chip === pattern) }, chip === everything ? "All" : chip)),
  );
}

one("#patterns").addEventListener("click", (event) => {
  const { pattern } = event.target.closest("[data-pattern]")?.dataset ?? {};
  if (!pattern) return;
  one("#find").value = "";
  go({ pattern, text: "" });
});

/** What is typed is a pattern when it has a star, else a part of paths. */
function find() {
  const text = one("#find").value.trim();
  go(text.includes("*") ? { pattern: text, text: "" } : { pattern: isOffered(place().pattern) ? place().pattern : everything, text }, { replaces: true });
}

let findTimer;
one("#find").addEventListener("input", () => {
  clearTimeout(findTimer);
  findTimer = setTimeout(find, findPauseMs);
});
one("#find-form").addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(findTimer);
  find();
  list.focus();
});
one("#list-more").addEventListener("click", () => {
  one("#list").scrollTop = 0;
  list.reload();
});

function create() {
  const { pattern } = place();
  const prefix = pattern.endsWith("/*") && !pattern.slice(0, -2).includes("*") ? pattern.slice(0, -1) : "";
  go({ view: "keys", key: null });
  detail.create(prefix);
}
one("#new").addEventListener("click", create);

// How the server stands

const fleet = new Fleet(() => refresh());

async function refresh() {
  try {
    const asked = Date.now();
    status = await records("_gimbal/status");
    const { wallMilliseconds } = summary(status);
    if (wallMilliseconds) format.setServerTime(wallMilliseconds, asked);
    if (!isReachable) list.reconnect();
    isReachable = true;
  } catch (fault) {
    if (fault.isUnreachable) isReachable = false;
  }
  drawStatus();
  const { view } = place();
  if (view === "keys" || !status || !isReachable) return;
  try {
    await fleet.draw(view, status, () => place().view === view);
  } catch {
    // Shown as the connection's state; asked again.
  }
}

function drawStatus() {
  const role = one("#role");
  role.hidden = !status;
  role.textContent = summary(status).role ?? "";
  show(one("#fault"), faultNotices(status));
  drawTabs();
  drawPatterns();
  drawLink();
}

function drawLink() {
  const [kind, text] = !isReachable
    ? ["bad", "server away"]
    : socketState === "live" || socketState === null
      ? !summary(status).isReady
        ? ["warn", "waiting for the first copy"]
        : summary(status).isAway
          ? ["warn", "live, pivot away"]
          : ["ok", "live"]
      : ["warn", socketState === "lost" ? "reconnecting" : "connecting"];
  one("#link").className = kind;
  one("#link .dot").className = `dot ${kind}`;
  one("#link-text").textContent = text;
}

function badge(view) {
  const { deadLetters, outbox } = summary(status);
  if (view === "outbox" && deadLetters) return [format.count(deadLetters), "bad"];
  if (view === "outbox" && outbox) return [format.count(outbox), "warn"];
  return null;
}

function views() {
  return Object.keys(titles).filter((view) => view !== "outbox" || summary(status).hasOutbox);
}

function drawTabs() {
  const present = place().view;
  show(
    one("#tabs"),
    views().map((view) => {
      const mark = badge(view);
      return h("a", { href: `#/${view}`, class: "tab", "data-key": view, "aria-current": view === present ? "page" : null }, icon(symbols[view]), h("span", {}, titles[view]), mark && h("span", { class: `badge ${mark[1]}` }, mark[0]));
    }),
  );
}

// The keyboard

one("#help-button").addEventListener("click", () => one("#help").showModal());

const shortcuts = {
  "/": () => {
    go({ view: "keys" });
    one("#find").focus();
    one("#find").select();
  },
  "?": () => one("#help").showModal(),
  n: create,
  e: () => {
    if (detail.path === null && list.active) list.open(list.active);
    else if (document.activeElement === one("#list") && list.active && list.active !== detail.path) list.open(list.active);
    editSoon();
  },
  d: () => detail.path !== null && detail.delete(),
  Delete: () => detail.path !== null && detail.delete(),
  j: () => step(1),
  k: () => step(-1),
  ArrowDown: () => list.focus(),
  ArrowUp: () => list.focus(),
  Escape: () => {
    if (detail.path !== null) return detail.close(), go({ key: null }), list.focus();
    if (place().text || place().pattern !== everything) {
      one("#find").value = "";
      go({ pattern: everything, text: "" });
    }
  },
};

function step(by) {
  if (list.active) list.move(by);
  list.focus();
}

/** Once the key that was just opened is there. */
function editSoon() {
  detail.whenRead(() => detail.edit());
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || one("dialog[open]")) return;
  const field = event.target.closest("input, textarea");
  if (field?.id === "find" && (event.key === "Escape" || event.key === "ArrowDown")) {
    event.preventDefault();
    if (event.key === "Escape" && field.value) {
      field.value = "";
      find();
    } else list.focus();
    return;
  }
  if (field) return;
  const view = views()[Number(event.key) - 1];
  const isKeysOnly = !["/", "?", "n"].includes(event.key);
  const action = view ? () => go({ view }) : place().view === "keys" || !isKeysOnly ? shortcuts[event.key] : null;
  // A button or link that has the focus keeps its own keys.
  if (!action || (event.target.closest("pre, summary") && event.key.startsWith("Arrow"))) return;
  event.preventDefault();
  action();
});

one(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  list.focus();
});

// Life

addEventListener("popstate", arrive);
addEventListener("online", () => list.reconnect());
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return void (hiddenAt = Date.now());
  if (hiddenAt && Date.now() - hiddenAt > sleepMs) list.reconnect();
  hiddenAt = null;
  refresh();
});

async function keepRefreshing() {
  if (!document.hidden) await refresh();
  setTimeout(keepRefreshing, statusPauseMs);
}

keepRefreshing().then(arrive);
