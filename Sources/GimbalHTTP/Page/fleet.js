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

const quiet = (element, ...children) => h(element, { class: "quiet" }, ...children);
/** What stands above a view, or above a part of one. */
const pageHead = (heading, title, note) => h("header", { class: "page-head" }, h(heading, {}, title), quiet("p", note));
/** What stands at the top of a card: on its left and on its right. */
const cardHead = (left, right) => h("header", {}, h("div", {}, left), right);
const tag = (text) => h("span", { class: "tag" }, text);
const cards = (...items) => h("ul", { class: "cards" }, ...items);
const card = (title, ...children) => h("section", { class: "card" }, h("h2", {}, title), ...children);
const [facts, table, tiles] = ["facts", "table", "tiles"].map((kind) => (...children) => h("dl", { class: kind }, ...children));
const dot = (kind) => h("span", { class: `dot ${kind}`, "aria-hidden": "true" });
const tile = (label, value, { note, kind = "", title } = {}) =>
  h("div", { class: "tile", title }, h("dt", {}, label), h("dd", { class: kind }, value), note && quiet("p", note));
const fact = (label, value) => value !== null && value !== undefined && h("div", {}, h("dt", {}, label), h("dd", {}, value));
const behind = (entries) => (entries ? `${format.count(entries)} behind` : "up to date");
/** Of one that is away nobody knows what it wrote meanwhile: only how far it was when it was last heard. */
const lastAt = (position, entries) => `${entries ? `${behind(entries)}, ` : ""}last seen at position ${format.count(position)}`;
const clock = (ms) => (ms === null || ms === undefined ? "unknown" : format.offset(ms));
const clockKind = (ms) => (Math.abs(ms ?? 0) > clockLimitMs ? "warn" : "");

const addressForm = /^(https?:\/\/)?[A-Za-z0-9.-]+(:\d{1,5})?$|^(https?:\/\/)?\[[0-9a-fA-F:]+\](:\d{1,5})?$/;

/** An address that a server named, as a link where it is one. */
function address(text) {
  if (!addressForm.test(text)) return h("span", {}, text || "no address");
  const url = text.startsWith("http") ? text : `http://${text}`;
  return h("a", { href: url, target: "_blank", rel: "noreferrer" }, text.replace(/^https?:\/\//, ""));
}

/** The spaces of a process: one, or several by name. What stays on this server is no business of other servers. */
export const spacesOf = (status) => (status?.spaces ?? (status ? [status] : [])).filter((space) => space.role !== "local");

const total = (status, name) => spacesOf(status).reduce((sum, space) => sum + (space[name] ?? 0), 0);

const rolesOf = (status) => [...new Set(spacesOf(status).map((space) => space.role))];

/** How a server stands over all of its spaces. */
export const summary = (status) => ({
  role: status?.role === "several" ? rolesOf(status).join(" + ") : status?.role,
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
        h(
          "span",
          {},
          name && `${name}: `,
          h("strong", {}, faults[fault.code] ?? "This server cannot replicate."),
          ` ${fault.detail} `,
          h("code", {}, fault.code),
        ),
      ),
    );

/** Above what is shown of a space where there are several. */
const spaceHead = ({ name, role }) =>
  name && h("header", { class: "page-head space-head", "data-key": name }, h("h2", {}, name, " ", tag(role)));

// Nodes

const nodeItem = (key, ...children) => h("li", { class: "card node", "data-key": key }, ...children);
const authorName = ({ author }, name) => h("strong", { title: author }, name || format.short(author));

function nodeCard(node, name) {
  const health = node.healthy ? "ok" : "bad";
  const state = !node.healthy ? "away" : node.following === false ? "answers when called" : "following";
  const skew = node.clockSkewMilliseconds;
  const standing = node.following ? behind(node.lag) : lastAt(node.position, node.lag);
  return nodeItem(
    node.author,
    cardHead([dot(health), authorName(node, name), quiet("span", state)], quiet("span", address(node.address))),
    facts(
      h("div", {}, h("dt", {}, "Lag"), h("dd", { class: node.lag || !node.following ? "warn" : "" }, standing)),
      h("div", {}, h("dt", {}, "Clock"), h("dd", { class: clockKind(skew) }, clock(skew))),
      fact("Last seen", format.passed(node.silentSeconds * 1000)),
      fact("Key", copyable(node.author, format.short(node.author))),
    ),
  );
}

function memberCard(member) {
  const state = member.revoked ? "revoked" : "not seen since this pivot started";
  return nodeItem(
    member.author,
    cardHead([dot(""), authorName(member, member.name), quiet("span", state)]),
    facts(
      fact("May write", member.writes.join("  ") || "nothing"),
      fact("Key", copyable(member.author, format.short(member.author))),
    ),
  );
}

function ledView(nodes, members) {
  const names = new Map(members.map((member) => [member.author, member.name]));
  const seen = new Set(nodes.map((node) => node.author));
  const unseen = members.filter((member) => !seen.has(member.author));
  return cards(nodes.map((node) => nodeCard(node, names.get(node.author))), unseen.map(memberCard));
}

/** What a node knows of its pivot. */
function followedView(status) {
  const { pivotPosition, position } = status;
  const lag = pivotPosition === undefined || position === undefined ? null : Math.max(0, pivotPosition - position);
  const skew = status.pivotClockOffsetMilliseconds;
  const silence = status.pivotSilentSeconds;
  const [kind, state] = pivotState(status);
  const standing = lag === null ? "unknown" : kind === "ok" ? behind(lag) : lastAt(pivotPosition, lag);
  return cards(
    nodeItem(
      "pivot",
      cardHead([dot(kind), h("strong", {}, "Pivot"), quiet("span", state)], quiet("span", address(status.pivotURL ?? ""))),
      facts(
        h("div", {}, h("dt", {}, "Lag"), h("dd", { class: lag || kind !== "ok" ? "warn" : "" }, standing)),
        h("div", {}, h("dt", {}, "Clock here"), h("dd", { class: clockKind(skew) }, clock(skew === undefined ? null : -skew))),
        fact("Last answer", silence === undefined ? "none yet" : format.passed(silence * 1000)),
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
    const alone = "The pivot is away. Reads and writes go on here, and what is written waits in the outbox.";
    return pageHead("h1", "This node and its pivot", pivotState(only)[0] === "ok" ? "Changes arrive as they happen." : alone);
  }
  const away = nodes.filter((node) => !node.healthy).length;
  const late = nodes.filter((node) => node.lag).length;
  const following = nodes.filter((node) => node.following).length;
  if (!nodes.length) return pageHead("h1", "Nodes", "No node has called since this server started.");
  const upToDate = following === nodes.length ? "all up to date" : following ? "all that follow up to date" : "";
  const notes = [away ? `${format.count(away)} away` : "all there", late ? `${format.count(late)} behind` : upToDate];
  return pageHead("h1", format.counted(nodes.length, "node"), notes.filter(Boolean).join(", "));
}

function nodesView({ status, nodes, members }) {
  const spaces = spacesOf(status);
  const nodesOf = ({ name }) => nodes.filter((node) => !name || node.space === name);
  const view = (space) =>
    space.role === "pivot" ? ledView(nodesOf(space), members.get(space.name) ?? []) : followedView(space);
  return [nodesHead(spaces, nodes), spaces.map((space) => [spaceHead(space), view(space)])];
}

// Outbox and dead letters

const kinds = { assign: "write", put: "write", clear: "delete", remove: "delete" };

function operation(node, extra = []) {
  const text = (name) => node.get(name).value;
  const isWrite = kinds[text("kind")] === "write";
  const written = format.milliseconds(text("stamp"));
  return [
    cardHead(
      [tag(kinds[text("kind")] ?? text("kind")), h("strong", { class: "mono" }, text("path"))],
      h("span", { class: "quiet", title: format.time(written) }, format.ago(written)),
    ),
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
      h(
        "div",
        { class: "buttons" },
        button("retry", "Write again", { symbol: "retry", "data-id": id }),
        button("forget", "Forget", { symbol: "trash", "data-id": id, "data-path": letter.get("path").value }),
      ),
    ]),
  );
}

const waitingCard = (node) =>
  h("li", { class: "card", "data-key": `${node.get("path").value} ${node.get("stamp").value}` }, operation(node));

function outboxView({ status, outbox, letters }) {
  const { hasOutbox, outbox: waiting, deadLetters } = summary(status);
  if (!hasOutbox) return pageHead("h1", "No outbox", "What is written at the pivot is in the log at once.");
  const stamps = spacesOf(status).flatMap(({ outboxOldest: oldest }) => (oldest ? [format.milliseconds(String(oldest))] : []));
  const notes = {
    outbox: waiting
      ? "Written here, and not known to be in the pivot’s log yet."
      : "Everything written here is in the pivot’s log.",
    letters: letters.length
      ? "The pivot refused these writes for good. Nothing behind them waits."
      : "No write of this node was refused.",
  };
  return [
    pageHead("h1", "Outbox", notes.outbox),
    tiles(
      tile("Waiting", format.count(waiting), { kind: waiting ? "warn" : "" }),
      tile("Oldest", stamps.length ? format.ago(Math.min(...stamps)) : "–"),
      tile("Dead letters", format.count(deadLetters), { kind: deadLetters ? "bad" : "" }),
    ),
    outbox.length > 0 && cards(outbox.map(waitingCard)),
    outbox.length > 0 && waiting > outbox.length && quiet("p", `and ${format.count(waiting - outbox.length)} more`),
    pageHead("h2", "Dead letters", notes.letters),
    letters.length > 0 && cards(letters.map(letterCard)),
  ];
}

// Log

/** The engine's own figures, with those first that mean something to everybody. */
function storageCard(storage) {
  const names = Object.keys(storage ?? {}).sort();
  if (!names.length) return null;
  const ending = (ends) => names.filter((name) => ends.some((end) => name.endsWith(end)));
  const sum = (...ends) => ending(ends).reduce((total, name) => total + storage[name], 0);
  const isSize = (name) => /size|usage|mem|capacity|bytes/.test(name);
  const figure = (name) => (isSize(name) ? format.bytes(storage[name]) : format.count(storage[name]));
  const stopped = storage["is-write-stopped"] && "writes are stopped";
  const troubles = [storage["background-errors"] && "background errors", stopped].filter(Boolean);
  return card(
    "Storage",
    table(
      fact("On disk", format.bytes(sum("total-sst-files-size"))),
      fact("In memory", format.bytes(sum("size-all-mem-tables", "block-cache-usage", "estimate-table-readers-mem"))),
      fact("State", h("span", { class: troubles.length ? "bad" : "ok" }, troubles.join(", ") || "no errors")),
    ),
    h("details", {}, h("summary", {}, "All figures"), table(names.map((name) => fact(name, figure(name))))),
  );
}

/** How much of the log is kept, and for whom. */
function retentionCard(log) {
  if (!log) return null;
  const holders = log.holders ?? [];
  const holder = ({ author, position }) => h("div", {}, copyable(author, format.short(author)), ` at ${format.count(position)}`);
  return card(
    "What is kept",
    table(
      fact("Entries", `${format.count(log.entries)}, ${format.bytes(log.bytes)}`),
      fact("Proofs below the horizon", format.count(log.retained)),
      holders.length > 0 && fact("Held for", holders.map(holder)),
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
  return card(
    "Snapshot",
    h("p", { class: kind }, text, detail && `: ${detail}`),
    end > position &&
      h("progress", { max: end, value: position, "aria-label": `${format.count(position)} of ${format.count(end)}` }),
  );
}

function logOf(space) {
  return [
    spaceHead(space),
    tiles(
      tile("Position", space.position === undefined ? "–" : format.count(space.position)),
      space.log && tile("Horizon", format.count(space.log.horizon), { note: "entries are whole from here on" }),
      tile("Epoch", space.epoch?.split("-")[0] ?? "–", { title: space.epoch }),
      tile("Members", format.count(space.members ?? 0)),
    ),
    card(
      "Identity",
      table(
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
  const led = "The order of changes: every accepted one, signed by its author.";
  return [pageHead("h1", "Log", isPivot ? led : "This node’s copy of the pivot’s log."), spacesOf(status).map(logOf)];
}

// All of it

const views = { nodes: nodesView, outbox: outboxView, log: logView };

/** The members of each space that is led here, by its name. */
async function membersOf(status) {
  const led = spacesOf(status).filter((space) => space.role === "pivot");
  const query = (name) => (name ? `?space=${encodeURIComponent(name)}` : "");
  return new Map(await Promise.all(led.map(async ({ name }) => [name, await records(`_gimbal/members${query(name)}`)])));
}

const list = async (target) => parse((await request(target)).text).items;

/** What each view asks the server for beside its status. */
const questions = {
  nodes: async (status) => ({ nodes: await records("_pivot/health/nodes"), members: await membersOf(status) }),
  outbox: async (status) => {
    if (!summary(status).hasOutbox) return { outbox: [], letters: [] };
    return { outbox: await list("_gimbal/outbox"), letters: await list("_gimbal/deadletters") };
  },
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
        const lost = `What was to be written at ${dataset.path} is lost.`;
        const isSure = await ask("Forget this write?", lost, { yes: "Forget it" });
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
