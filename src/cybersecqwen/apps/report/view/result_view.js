// @ts-check
// A result whole: what it adds up to, what to look at first, and its rows; in a report and on the
// page alike.

import { bars, share, shortName, split, stack, treemap, yearColumns, familyOf } from "./charts.js";
import { away, count, el, foreign, percent, plural } from "./dom.js";
import { cweLink } from "./links.js";
import {
  addTo,
  largest,
  NO_FILTER,
  reviewFirst,
  reviewReason,
  SEVERITIES,
  sortRows,
  tally,
  tester,
} from "./results.js";
import { RowTable, severityTag } from "./row_table.js";
import { CweTree } from "./tree.js";

/**
 * @typedef {import("./results.js").Row} Row
 * @typedef {import("./results.js").Filter} Filter
 */

const TOP = 12;
const FIRST = 10;
const PAIRS = 8;
const MAP_HEIGHT = { wide: 462, narrow: 340 };
const TYPING_MS = 150;

export class ResultView {
  /** The rows; add to them and call `refresh`. @type {Row[]} */
  rows = [];
  /** @type {Filter} */
  filter = { ...NO_FILTER };
  #tree = new CweTree();
  #changed;
  #sum = tally([]);
  #counted = 0;
  #table;
  #figures = el("div.figures", {});
  #charts = el("div.charts", {});
  #first = el("section.first", { "aria-labelledby": "first-title" });
  #chips = el("div.chips", {});
  #tools;
  #find;
  #show;
  #sort;
  #timer = 0;
  #width = 0;
  #detail;
  #more;

  /**
   * @param {{detail: (row: Row) => Promise<import("./row_table.js").Detail>, changed?: (filter: Filter) => void, more?: import("./row_table.js").More}} options
   *   `changed` is called when a person has asked for other rows; `more` gives what an open row
   *   shows besides.
   */
  constructor({ detail, changed = () => {}, more }) {
    this.#changed = changed;
    this.#detail = detail;
    this.#more = more;
    this.#find = el("input", {
      type: "search",
      placeholder: "Id, weakness or title",
      oninput: () => {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.#ask({ find: this.#find.value }), TYPING_MS);
      },
    });
    this.#show = this.#select("show", [
      ["all", "All rows"],
      ["sure", "Sure"],
      ["likely", "Likely"],
      ["unsure", "Unsure"],
      ["differs", "Unlike the record's label"],
      ["problems", "Without an answer"],
    ]);
    this.#sort = this.#select("sort", [
      ["", "As in the input"],
      ["id", "By id"],
      ["-severity", "Severest first"],
      ["confidence", "Least sure first"],
      ["-confidence", "Surest first"],
      ["cwe", "By weakness"],
      ["-published", "Newest first"],
    ]);
    this.#tools = el(
      "div.row.tools",
      {},
      el("label", {}, "Show ", this.#show),
      el("label", {}, "Order ", this.#sort),
      el("label.grow", {}, "Find ", this.#find),
    );
    this.#table = this.#newTable();
    this.node = el("div.result", {});
    this.#fill();
    new ResizeObserver(([entry]) => {
      const width = Math.round(entry.contentRect.width);
      if (Math.abs(width - this.#width) < 8) return;
      this.#width = width;
      this.#drawCharts();
    }).observe(this.#charts);
  }

  /** @param {CweTree} tree */
  setTree(tree) {
    this.#tree = tree;
    this.#table = this.#newTable();
    this.#fill();
    this.refresh();
  }

  #newTable() {
    return new RowTable(this.#tree, this.#detail, (sort) => this.#ask({ sort }), this.#more);
  }

  #fill() {
    this.node.replaceChildren(
      this.#figures,
      this.#charts,
      this.#first,
      el(
        "section.all-rows",
        { "aria-labelledby": "rows-title" },
        el("h3", { id: "rows-title" }, "Every record"),
        this.#tools,
        this.#chips,
        this.#table.node,
      ),
    );
  }

  /**
   * @param {"show"|"sort"} key
   * @param {[string, string][]} options
   * @returns {any}
   */
  #select(key, options) {
    const select = el(
      "select",
      { onchange: () => this.#ask({ [key]: select.value }) },
      options.map(([value, name]) => el("option", { value }, name)),
    );
    return select;
  }

  /**
   * Show other rows, because a person asked for them.
   * @param {Partial<Filter>} wish
   */
  #ask(wish) {
    this.apply({ ...this.filter, ...wish });
    this.#changed(this.filter);
  }

  /**
   * Choose a value, or choose it no more.
   * @param {"cwe"|"year"|"severity"} key
   * @returns {(value: string) => void}
   */
  #toggle(key) {
    return (value) => this.#ask({ [key]: this.filter[key] === value ? "" : value });
  }

  /** @param {Filter} filter */
  apply(filter) {
    this.filter = filter;
    this.#show.value = filter.show;
    this.#sort.value = filter.sort;
    if (this.#find.value.trim() !== filter.find.trim()) this.#find.value = filter.find;
    this.refresh();
  }

  /** Draw what has changed. */
  refresh() {
    const filtered = this.#filtered();
    if (filtered) {
      this.#sum = tally(filtered);
      this.#counted = -1;
    } else {
      if (this.#counted < 0 || this.#counted > this.rows.length) {
        this.#sum = tally([]);
        this.#counted = 0;
      }
      for (; this.#counted < this.rows.length; this.#counted += 1)
        addTo(this.#sum, this.rows[this.#counted]);
    }
    const shown = filtered ?? this.rows;
    const { sort } = this.filter;
    const sorted = sort ? sortRows(filtered ?? [...this.rows], sort) : shown;
    this.#drawFigures();
    this.#drawCharts();
    this.#drawFirst(shown);
    this.#drawChips();
    this.#table.show(sorted, JSON.stringify(this.filter), sort);
  }

  /** Return the rows that fit, or null where all of them do. */
  #filtered() {
    const { sort: _, ...wishes } = this.filter;
    const idle = Object.entries(wishes).every(
      ([key, value]) => value === NO_FILTER[/** @type {keyof Filter} */ (key)],
    );
    return idle ? null : this.rows.filter(tester(this.filter, this.#tree));
  }

  #drawFigures() {
    const { rows, bands, labelled, agreeing, problems, severities } = this.#sum;
    const severe = (severities.get("critical") ?? 0) + (severities.get("high") ?? 0);
    const scored = [...severities.values()].reduce((sum, n) => sum + n, 0);
    this.#figures.replaceChildren(
      figure(count(rows), rows === 1 ? "record answered" : "records answered", [
        problems ? `${plural(problems, "record")} without an answer` : "",
      ]),
      figure(share(bands.sure, rows) || "\u2013", "of the answers are sure", [
        stack(
          [
            [bands.sure, "part"],
            [bands.likely, "likely"],
          ],
          rows,
          `${count(bands.sure)} sure, ${count(bands.likely)} likely, ${count(bands.unsure)} unsure`,
        ),
        `${count(bands.likely)} likely, ${count(bands.unsure)} unsure`,
      ]),
      figure(share(agreeing, labelled) || "\u2013", "agree with the record's own label", [
        labelled ? split(agreeing, labelled, `${count(agreeing)} of ${count(labelled)} agree`) : null,
        labelled
          ? `${count(labelled - agreeing)} of ${count(labelled)} labelled ones differ`
          : "No record has a label of its own",
      ]),
      figure(scored ? count(severe) : "\u2013", "critical or high", [
        scored ? split(severe, scored, `${count(severe)} of ${count(scored)} are critical or high`) : null,
        scored ? `of ${count(scored)} with a CVSS score` : "No record has a CVSS score",
      ]),
    );
  }

  #drawCharts() {
    const { cwes, years, severities, rows, pairs } = this.#sum;
    const { cwe, year, severity } = this.filter;
    const tree = this.#tree;
    const narrow = this.#width < 700;
    const width = Math.max(Math.round(narrow ? this.#width : this.#width * 0.62 - 20), 280);
    const top = largest(cwes, TOP);
    const label = (/** @type {string} */ id) => [
      foreign(shortName(tree.name(id)) || id, 120),
      " ",
      el("code", {}, id),
    ];
    const columns = yearColumns(years, year, this.#toggle("year"));
    const rated = SEVERITIES.filter((name) => severities.has(name));
    this.#charts.replaceChildren(
      el(
        "section.panel.wide-panel",
        {},
        el("h3", {}, "Weaknesses by family"),
        treemap(cwes, tree, {
          width,
          height: narrow ? MAP_HEIGHT.narrow : MAP_HEIGHT.wide,
          chosen: cwe,
          choose: this.#toggle("cwe"),
        }),
      ),
      el(
        "section.panel",
        {},
        el("h3", {}, cwes.size > TOP ? `The commonest of ${count(cwes.size)}` : "Weaknesses"),
        bars(top, {
          total: rows,
          chosen: cwe,
          choose: this.#toggle("cwe"),
          label,
          className: (id) => `f${familyOf(tree.pillar(id))}`,
        }),
      ),
      ...(columns ? [el("section.panel", {}, el("h3", {}, "By year"), columns)] : []),
      ...(rated.length
        ? [
            el(
              "section.panel",
              {},
              el("h3", {}, "By severity"),
              bars(
                rated.map((name) => [name, severities.get(name) ?? 0]),
                {
                  total: rows,
                  chosen: severity,
                  choose: this.#toggle("severity"),
                  label: (name) => [name],
                  className: (name) => `s-${name}`,
                },
              ),
            ),
          ]
        : []),
      ...(pairs.size ? [this.#pairs(largest(pairs, PAIRS))] : []),
    );
  }

  /** @param {[string, number][]} pairs */
  #pairs(pairs) {
    return el(
      "section.panel",
      {},
      el("h3", {}, "Where the record's label differs"),
      el(
        "ul.pairs",
        {},
        pairs.map(([pair, number]) => {
          const [said, cwe] = pair.split(" ");
          const chosen = this.filter.said === said && this.filter.cwe === cwe;
          return el(
            "li",
            {},
            el(
              "button.tally",
              {
                type: "button",
                "aria-pressed": String(chosen),
                title: `${said} ${this.#tree.name(said)}; ${cwe} ${this.#tree.name(cwe)}`,
                onclick: () =>
                  this.#ask(
                    chosen
                      ? { said: "", cwe: "", show: "all" }
                      : { said, cwe, show: "differs" },
                  ),
              },
              el(
                "span.label",
                {},
                foreign(said, 20),
                el("span.soft", {}, ` ${shortName(this.#tree.name(said))}`),
                el("br"),
                "\u2192 ",
                foreign(cwe, 20),
                el("span.soft", {}, ` ${shortName(this.#tree.name(cwe))}`),
              ),
              el("span.number", {}, count(number)),
            ),
          );
        }),
      ),
    );
  }

  /** @param {Row[]} shown */
  #drawFirst(shown) {
    const rows = reviewFirst(shown, FIRST);
    this.#first.hidden = !rows.length;
    this.#first.replaceChildren(
      el("h3", { id: "first-title" }, "Look at these first"),
      el(
        "p.hint",
        {},
        "Severe records whose label and text do not agree, and severe ones that the model is unsure of.",
      ),
      el(
        "ol.review",
        {},
        rows.map((row) =>
          el(
            "li",
            {},
            el(
              "button.link",
              { type: "button", onclick: () => this.#ask({ ...NO_FILTER, find: row.id }) },
              foreign(row.id, 60),
            ),
            " ",
            severityTag(row),
            el("span.why", {}, ` ${reviewReason(row)} `, el("span.soft", {}, shortName(this.#tree.name(row.cwe)))),
            el("span.number", {}, percent(row.confidence)),
          ),
        ),
      ),
    );
  }

  #drawChips() {
    const { cwe, said, year, severity } = this.filter;
    /** @type {[keyof Filter, string, string][]} */
    const chips = [
      ["cwe", cwe, `${cwe} ${shortName(this.#tree.name(cwe))}, and its kinds`],
      ["said", said, `the record says ${said}`],
      ["year", year, year],
      ["severity", severity, severity],
    ];
    const set = chips.filter(([, value]) => value);
    this.#chips.replaceChildren(
      ...set.map(([key, , words]) =>
        el(
          "button.chip",
          { type: "button", "aria-label": `Remove: ${words}`, onclick: () => this.#ask({ [key]: "" }) },
          words,
          el("span", { "aria-hidden": "true" }, " \u00d7"),
        ),
      ),
      ...(set.length
        ? [
            el(
              "button.link",
              { type: "button", onclick: () => this.#ask({ ...NO_FILTER, sort: this.filter.sort }) },
              "Show all again",
            ),
          ]
        : []),
      ...(cwe ? [" ", away("at MITRE", cweLink(cwe))] : []),
    );
  }
}

/**
 * Return a headline figure.
 * @param {string} value
 * @param {string} words
 * @param {(Node|string|null)[]} more
 */
function figure(value, words, more) {
  return el(
    "div.figure",
    {},
    el("p.value", {}, value),
    el("p.words", {}, words),
    ...more.map((part) => (typeof part === "string" ? (part ? el("p.hint", {}, part) : null) : part)),
  );
}
