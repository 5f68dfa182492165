// A JSON value as people read it.

import { h } from "./dom.js";
import { layOut, pretty } from "./json.js";

/** Larger values are shown without colours: tens of thousands of elements help nobody. */
const colourLimit = 64 << 10;

/** `isMarked(line)` says which lines stand out. */
export function jsonView(node, { isMarked } = {}) {
  if (node.end - node.start > colourLimit) return h("pre", { class: "json", tabindex: 0 }, pretty(node));
  const lines = [[]];
  layOut(node, (text, kind) => {
    text.split("\n").forEach((part, index) => {
      if (index) lines.push([]);
      if (part) lines.at(-1).push(h("span", { class: kind }, part));
    });
  });
  const elements = lines.map((parts) => {
    const line = h("span", { class: "line" }, parts);
    if (isMarked?.(line.textContent)) line.classList.add("differs");
    return line;
  });
  return h("pre", { class: "json", tabindex: 0 }, elements.flatMap((line, index) => (index ? ["\n", line] : [line])));
}
