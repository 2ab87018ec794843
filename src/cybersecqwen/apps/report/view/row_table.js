// @ts-check
// The rows of a result: a page of them at a time, each of which opens to its text.

import { away, bar, count, el, foreign, percent, plural } from "./dom.js";
import { cweLink, recordLinks, techniqueLink } from "./links.js";

const PAGE = 100;
const MOST_CHARACTERS = 8000;

/**
 * @typedef {import("./results.js").Row} Row
 * @typedef {(row: Row, detail: Detail) => HTMLElement|null} More
 * @typedef {{text: string, title: string, candidates: {cwe: string, probability: number}[], columns?: Record<string, unknown>, reason?: string, denied?: string[], assessed?: Assessed|null}} Detail
 * @typedef {{vector: string, score: number, severity: string, vector4?: string, techniques?: {id: string, name: string, probability: number, role: string}[]}} Assessed
 */

/** @type {[string, string, string][]} */
const HEADS = [
  ["id", "Record", ""],
  ["cwe", "Weakness", ""],
  ["confidence", "Sure", "number"],
  ["severity", "Severity", ""],
  ["", "The record says", ""],
];

export class RowTable {
  #tree;
  #detail;
  #more;
  #sort;
  #body = el("tbody", {});
  #heads = el("tr", {});
  #where = el("span", { role: "status" });
  #previous;
  #next;
  /** @type {Row[]} */
  #rows = [];
  #page = 0;
  #drawn = "";
  /** @type {Set<number>} */
  #open = new Set();

  /**
   * @param {import("./tree.js").CweTree} tree
   * @param {(row: Row) => Promise<Detail>} detail
   * @param {(sort: string) => void} sort Called with another order.
   * @param {More} [more] Gives what an open row shows besides.
   */
  constructor(tree, detail, sort, more = () => null) {
    this.#tree = tree;
    this.#more = more;
    this.#detail = detail;
    this.#sort = sort;
    const turn = (/** @type {number} */ by) => () => {
      this.#page += by;
      this.#draw();
      this.node.scrollIntoView({ block: "start" });
    };
    this.#previous = el("button", { type: "button", onclick: turn(-1) }, "Previous");
    this.#next = el("button", { type: "button", onclick: turn(1) }, "Next");
    this.node = el(
      "div.records",
      {},
      el("table.rows", {}, el("thead", {}, this.#heads), this.#body),
      el("nav.row", { "aria-label": "Pages of rows" }, this.#previous, this.#next, this.#where),
    );
  }

  /**
   * Show rows, in their order; from the first page on where they are others than before.
   * @param {Row[]} rows
   * @param {string} key Says which rows they are.
   * @param {string} sort
   */
  show(rows, key, sort) {
    if (!this.#drawn.startsWith(`${key}\n`)) this.#page = 0;
    this.#rows = rows;
    this.#draw(key, sort);
  }

  #draw(key = this.#drawn.split("\n")[0], sort = this.#drawn.split("\n")[3] ?? "") {
    const pages = Math.max(Math.ceil(this.#rows.length / PAGE), 1);
    this.#page = Math.min(Math.max(this.#page, 0), pages - 1);
    const start = this.#page * PAGE;
    const rows = this.#rows.slice(start, start + PAGE);
    const ids = `${rows[0]?.place},${rows.at(-1)?.place},${rows.length}`;
    const drawn = [key, start, ids, sort].join("\n");
    if (drawn !== this.#drawn) {
      this.#heads.replaceChildren(...this.#headings(sort));
      this.#body.replaceChildren(...rows.flatMap((row) => this.#lines(row)));
    }
    this.#drawn = drawn;
    this.#previous.toggleAttribute("disabled", this.#page === 0);
    this.#next.toggleAttribute("disabled", this.#page >= pages - 1);
    this.#where.textContent = this.#rows.length
      ? `${count(start + 1)} to ${count(start + rows.length)} of ${plural(this.#rows.length, "row")}`
      : "No row fits.";
  }

  /** @param {string} sort */
  #headings(sort) {
    return HEADS.map(([key, name, kind]) => {
      const down = sort === `-${key}`;
      const up = sort === key;
      const order = key && (up ? "ascending" : down ? "descending" : "none");
      return el(
        `th${kind ? `.${kind}` : ""}`,
        { scope: "col", "aria-sort": order || null },
        key
          ? el(
              "button.sort",
              { type: "button", onclick: () => this.#sort(down ? key : up ? "" : `-${key}`) },
              name,
              el("span.arrow", { "aria-hidden": "true" }, up ? " \u2191" : down ? " \u2193" : ""),
            )
          : name,
      );
    });
  }

  /** @param {Row} row */
  #lines(row) {
    if (row.problem !== undefined) {
      return [
        el(
          "tr.problem",
          {},
          el("th", { scope: "row" }, foreign(row.id, 100)),
          el("td", { colspan: HEADS.length - 1 }, el("span.tag.warn", {}, "no answer"), " ", foreign(row.problem, 400)),
        ),
      ];
    }
    const name = `record-${row.place}`;
    const open = this.#open.has(row.place);
    const opener = el(
      "button.opener",
      {
        type: "button",
        "aria-expanded": String(open),
        "aria-controls": open ? name : null,
        onclick: () => this.#toggle(row, line, opener, name),
      },
      foreign(row.id, 100),
    );
    const line = el(
      "tr",
      {},
      el("th", { scope: "row" }, opener),
      el(
        "td.weakness",
        {},
        el("span.name", {}, foreign(this.#tree.name(row.cwe) || row.cwe, 200)),
        " ",
        el("code", {}, foreign(row.cwe, 20)),
        ...remarks(row),
      ),
      el("td.number", {}, percent(row.confidence), el("span.band", {}, ` ${row.band}`)),
      el("td", {}, severityTag(row)),
      el("td", {}, saidCell(row)),
    );
    if (!open) return [line];
    return [line, this.#detailLine(row, name)];
  }

  /**
   * @param {Row} row
   * @param {HTMLElement} line
   * @param {HTMLElement} opener
   * @param {string} name
   */
  #toggle(row, line, opener, name) {
    if (this.#open.delete(row.place)) {
      line.nextElementSibling?.remove();
      opener.removeAttribute("aria-controls");
    } else {
      this.#open.add(row.place);
      line.after(this.#detailLine(row, name));
      opener.setAttribute("aria-controls", name);
    }
    opener.setAttribute("aria-expanded", String(this.#open.has(row.place)));
  }

  /**
   * @param {Row} row
   * @param {string} name
   */
  #detailLine(row, name) {
    const cell = el("td", { colspan: HEADS.length }, el("p.hint", {}, "Reading it\u2026"));
    this.#detail(row).then(
      (detail) => {
        const more = this.#more(row, detail);
        cell.replaceChildren(...this.#opened(row, detail), ...(more ? [more] : []));
      },
      () => cell.replaceChildren(el("p.hint", {}, "Its text is not kept here any more.")),
    );
    return el("tr.detail", { id: name }, cell);
  }

  /**
   * @param {Row} row
   * @param {Detail} detail
   */
  #opened(row, { text, title, candidates, columns = {}, reason = "", denied = [], assessed = null }) {
    const others = Object.entries(columns).filter(([, value]) => value !== null && value !== "" && value !== text);
    return [
      el(
        "div.opened",
        {},
        el(
          "div",
          {},
          title ? el("p", {}, el("strong", {}, foreign(title, 500))) : null,
          el("p.text", {}, text ? foreign(text, MOST_CHARACTERS) : "It has no text."),
          denied.length
            ? el("p.hint", {}, "Denied in the text: ", foreign(denied.join("; "), 500))
            : null,
          reason ? el("p.hint", {}, foreign(reason, 2000)) : null,
          others.length
            ? el(
                "dl.columns-of",
                {},
                others.flatMap(([key, value]) => [
                  el("dt", {}, foreign(key, 60)),
                  el("dd", {}, foreign(typeof value === "string" ? value : JSON.stringify(value), 300)),
                ]),
              )
            : null,
          el(
            "p.links",
            {},
            recordLinks(row.id, row.url).map(([words, address]) => away(words, address)),
            away(`${row.cwe} at MITRE`, cweLink(row.cwe)),
          ),
        ),
        el(
          "div",
          {},
          el("p.eyebrow", {}, "The answer and its runners-up"),
          el(
            "ol.bars",
            {},
            candidates.map(({ cwe, probability }) =>
              el(
                "li",
                {},
                el("span", {}, el("code", {}, foreign(cwe, 20)), " ", foreign(this.#tree.name(cwe), 200)),
                bar(probability, cwe),
                el("span.number", {}, percent(probability)),
              ),
            ),
          ),
          ...(assessed ? assessedParts(assessed) : []),
        ),
      ),
    ];
  }
}

/**
 * Return what the other specialists say of a record.
 * @param {Assessed} found
 */
function assessedParts({ vector, score, severity, vector4 = "", techniques = [] }) {
  return [
    el("p.eyebrow", {}, "Severity, as we read it"),
    el(
      "p",
      {},
      el(`span.severity.s-${severity}`, {}, `${severity} ${score.toFixed(1)}`),
      " ",
      el("code", {}, vector),
      vector4 ? " " : null,
      vector4 ? el("code", {}, vector4) : null,
    ),
    techniques.length ? el("p.eyebrow", {}, "What an attacker does with it") : null,
    techniques.length ? techniqueBars(techniques) : null,
  ].filter((part) => part !== null);
}

/**
 * Return ATT&CK techniques with a bar for the probability of each.
 * @param {{id: string, name: string, probability: number, role: string}[]} techniques
 */
export const techniqueBars = (techniques) =>
  el(
    "ol.bars",
    {},
    techniques.map(({ id, name, probability, role }) =>
      el(
        "li",
        {},
        el("span", {}, away(id, techniqueLink(id)), " ", foreign(name, 120), el("span.hint", {}, ` ${role}`)),
        bar(probability, id),
        el("span.number", {}, percent(probability)),
      ),
    ),
  );

/** @param {Row} row */
function remarks(row) {
  if (!row.abstained) return [];
  const words = row.backoff && row.backoff !== row.cwe ? `at least ${row.backoff}` : "unsure";
  return [" ", el("span.tag.warn", {}, words)];
}

/** @param {Row} row */
export function severityTag(row) {
  if (!row.severity) return el("span.none", {}, "\u2013");
  const score = row.score === null ? "" : ` ${row.score.toFixed(1)}`;
  const tag = el(`span.severity.s-${row.severity}`, {}, `${row.severity}${score}`);
  return row.ours ? el("span", { title: "as we read it; the record has no score" }, tag, " (ours)") : tag;
}

/** @param {Row} row */
function saidCell(row) {
  if (!row.said.length) return el("span.none", {}, "nothing");
  return el(
    "span",
    { class: row.agrees ? "agrees" : "differs" },
    row.agrees ? "\u2713 " : "\u2260 ",
    foreign(row.said.join(", "), 80),
  );
}
