// Passages of the knowledge base, and what to say where there is none.

import { el, foreign, notice, plural } from "../view/dom.js";

const KINDS = {
  description: "Description",
  extended: "More about it",
  mitigation: "Mitigations",
  consequence: "Consequences",
  detection: "Detection",
  example: "Examples",
  introduction: "How it comes about",
  platform: "Where it occurs",
  alias: "Other names",
  term: "Terms",
  note: "Notes",
  relation: "Relations",
  withdrawn: "Withdrawn",
};

/** Return a heading for a kind of passage. */
export const kindName = (kind) =>
  KINDS[kind] ?? kind.charAt(0).toUpperCase() + kind.slice(1).replaceAll("-", " ");

/** Return the id of the page that a citation id belongs to. */
export const pageOf = (citation) => citation.split("#", 1)[0];

/**
 * Return a passage as an article that can take the focus.
 * @param {{id: string, title: string, kind: string, text: string}} passage
 * @param {number} number By which the answer refers to it.
 * @param {boolean} folded Whether its text shows only when it is opened.
 */
export function passageView({ id, title, kind, text }, number, folded) {
  return el(
    "article.passage",
    { tabindex: -1, "data-citation": id },
    el(
      "details",
      { open: !folded },
      el(
        "summary",
        {},
        el("span.mark", {}, String(number)),
        " ",
        el("strong", {}, foreign(title, 300)),
        " ",
        el("span.hint", {}, el("code", {}, foreign(id, 120)), ` ${kindName(kind).toLowerCase()}`),
      ),
      el("p.text", {}, foreign(text, 8000)),
    ),
  );
}

/** Return passages of one page, the description open and the other kinds folded. */
export function foldedByKind(passages) {
  const kinds = new Map();
  for (const passage of passages) {
    if (!kinds.has(passage.kind)) kinds.set(passage.kind, []);
    kinds.get(passage.kind).push(passage);
  }
  const order = Object.keys(KINDS);
  const rank = (kind) => (order.includes(kind) ? order.indexOf(kind) : order.length);
  return [...kinds]
    .sort(([a], [b]) => rank(a) - rank(b))
    .map(([kind, list]) =>
      el(
        "details.kind",
        { open: kind === "description" },
        el("summary", {}, `${kindName(kind)} `, el("span.count", {}, String(list.length))),
        list.map(({ id, text }) =>
          el("p.text", {}, foreign(text, 8000), " ", el("code.cite", {}, foreign(id, 120))),
        ),
      ),
    );
}

/** Return what to do about a missing knowledge base. */
export function booklessNotice(what) {
  return notice(
    "plain",
    "No knowledge base on this server",
    `${what} Build one from MITRE's files and start the server again:`,
    el(
      "pre",
      { tabindex: 0 },
      "cybersecqwen kb build --cwe cwe.json.gz --attack enterprise-attack.json --capec capec.json",
    ),
  );
}

/** Return "3 passages". */
export const passageCount = (passages) => plural(passages.length, "passage");
