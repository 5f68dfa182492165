// Elements. Whatever is stored reaches the page as text nodes and attributes that mean nothing, never as markup.

export const one = (selector, root = document) => root.querySelector(selector);

/** An element with attributes (`onclick` adds a listener) and children; text is text. */
export function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const shapes = {
  back: "M15 5l-7 7 7 7",
  check: "M5 13l4 4 10-11",
  close: "M6 6l12 12M18 6L6 18",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  edit: "M4 20l1-5L16 4l4 4L9 19zM14 6l4 4",
  keys: "M4 6h16M4 12h16M4 18h10",
  log: "M6 3h9l4 4v14H6zM14 3v5h5M9 13h7M9 17h5",
  nodes: "M12 4v5M12 9l-6 7M12 9l6 7M12 2.5a1.5 1.5 0 100 3 1.5 1.5 0 000-3zM5.500 16a2 2 0 100 4 2 2 0 000-4zM18.500 16a2 2 0 100 4 2 2 0 000-4z",
  outbox: "M4 14v6h16v-6M12 15V4M7 9l5-5 5 5",
  plus: "M12 5v14M5 12h14",
  retry: "M20 11a8 8 0 10-2 6M20 5v6h-6",
  search: "M11 4a7 7 0 100 14 7 7 0 000-14zM16.500 16.500L21 21",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13M10 11v5M14 11v5",
  warning: "M12 3l10 18H2zM12 10v5M12 18v.5",
};

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", shapes[name]);
  svg.append(path);
  return svg;
}

/** Makes `old` look like `fresh` and touches only what differs, so that focus, selection and scrolling stay. */
export function morph(old, fresh) {
  if (old.nodeName !== fresh.nodeName || old.dataset?.key !== fresh.dataset?.key) return old.replaceWith(fresh);
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  // Whether details are open is the reader's business.
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  const children = [...fresh.childNodes];
  children.forEach((child, index) => {
    const present = old.childNodes[index];
    if (present) morph(present, child);
    else old.append(child);
  });
  while (old.childNodes.length > children.length) old.lastChild.remove();
}

/** Shows children in a container that keeps its place; see `morph`. */
export function show(container, ...children) {
  const fresh = container.cloneNode(false);
  fresh.append(...children.flat(Infinity).filter(Boolean));
  morph(container, fresh);
}

/** Calls `actions[name]` for clicks on what is marked `data-do="name"`: morphed elements keep no listeners of their own. */
export function delegate(root, actions) {
  root.addEventListener("click", (event) => {
    const target = event.target.closest("[data-do]");
    if (target && root.contains(target)) actions[target.dataset.do]?.(target);
  });
}

export const button = (action, label, { symbol, kind, ...rest } = {}) =>
  h("button", { type: "button", class: `button ${kind ?? ""}`, "data-do": action, ...rest }, symbol && icon(symbol), label && h("span", {}, label));

/** What can be copied by a click; `text` is all of it, `shown` may be less. */
export const copyable = (text, shown = text) =>
  h("button", { type: "button", class: "copyable", "data-copy": text, title: `Copy ${text}` }, h("code", {}, shown), icon("copy"));

document.addEventListener("click", async (event) => {
  const target = event.target.closest("[data-copy]");
  if (!target) return;
  try {
    await navigator.clipboard.writeText(target.dataset.copy);
    toast("Copied");
  } catch {
    toast("The browser does not let this page copy", { isError: true });
  }
});

// Short notices, read out by screen readers.

const noticeSeconds = 5;

/** A notice that goes by itself; `action` is [label, function]. */
export function toast(text, { isError = false, action } = {}) {
  const notice = h("div", { class: `toast ${isError ? "bad" : ""}` }, h("span", {}, text));
  const close = () => notice.remove();
  if (action) {
    const perform = () => (close(), action[1]());
    notice.append(h("button", { type: "button", class: "button plain", onclick: perform }, action[0]));
  }
  notice.append(h("button", { type: "button", class: "button plain only-icon", "aria-label": "Close", onclick: close }, icon("close")));
  one("#toasts").append(notice);
  setTimeout(close, noticeSeconds * 1000 * (isError || action ? 2 : 1));
}

/** A fault's sentence, with its code. */
export const complain = (fault) => toast(fault.code ? `${fault.message} (${fault.code})` : fault.message, { isError: true });

/** Asks before something is destroyed. Resolves to whether to do it. */
export function ask(title, text, { yes, no = "Cancel" }) {
  const dialog = one("#question");
  show(
    one("form", dialog),
    h("h2", { id: "question-title" }, title),
    h("p", {}, text),
    h("div", { class: "buttons" }, h("button", { class: "button", value: "no" }, no), h("button", { class: "button danger", value: "yes" }, yes)),
  );
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }));
}
