// The table of a batch: one page of rows at a time, however many there are.

import { count, el, foreign, percent, plural } from "../view/dom.js";

const PAGE = 100;
const TESTS = {
  all: () => true,
  unsure: (row) => row.abstained,
  sure: (row) => row.abstained === false,
  problems: (row) => row.problem !== undefined,
};

export class RowTable {
  #rows;
  #matched = []; // places of the rows that fit the filter
  #scanned = 0;
  #page = 0;
  #drawn = "";
  #body = el("tbody", {});
  #where = el("span", {});
  #filter;
  #find;
  #previous;
  #next;

  /** @param {import("./rows.js").Rows} rows */
  constructor(rows) {
    this.#rows = rows;
    const names = { all: "All", unsure: "Not sure", sure: "Sure", problems: "Problems" };
    const restart = () => {
      this.#matched = [];
      this.#scanned = 0;
      this.#page = 0;
      this.refresh();
    };
    this.#filter = el(
      "select",
      { onchange: restart },
      Object.entries(names).map(([value, name]) => el("option", { value }, name)),
    );
    this.#find = el("input", { type: "search", oninput: restart, placeholder: "Id or CWE" });
    const turn = (by) => () => {
      this.#page += by;
      this.refresh();
    };
    this.#previous = el("button", { type: "button", onclick: turn(-1) }, "Previous");
    this.#next = el("button", { type: "button", onclick: turn(1) }, "Next");
    this.node = el(
      "div",
      {},
      el(
        "div.row",
        {},
        el("label", {}, "Show ", this.#filter),
        el("label", {}, "Find ", this.#find),
      ),
      el(
        "div.wide",
        { tabindex: 0, role: "region", "aria-label": "Rows" },
        el(
          "table.rows",
          {},
          el(
            "thead",
            {},
            el(
              "tr",
              {},
              el("th", { scope: "col" }, "Record"),
              el("th", { scope: "col" }, "Weakness"),
              el("th.number", { scope: "col" }, "Confidence"),
              el("th", { scope: "col" }, "Name"),
            ),
          ),
          this.#body,
        ),
      ),
      el("nav.row", { "aria-label": "Pages of rows" }, this.#previous, this.#next, this.#where),
    );
  }

  /** Draw what has changed. Rows are looked at once, so that a long table costs no more. */
  refresh() {
    const { list } = this.#rows;
    const fits = TESTS[this.#filter.value];
    const wanted = this.#find.value.trim().toLowerCase();
    for (; this.#scanned < list.length; this.#scanned += 1) {
      const row = list[this.#scanned];
      if (fits(row) && (!wanted || `${row.id} ${row.cwe ?? ""}`.toLowerCase().includes(wanted))) {
        this.#matched.push(this.#scanned);
      }
    }
    const pages = Math.max(Math.ceil(this.#matched.length / PAGE), 1);
    this.#page = Math.min(Math.max(this.#page, 0), pages - 1);
    const start = this.#page * PAGE;
    const places = this.#matched.slice(start, start + PAGE);
    const drawn = `${this.#filter.value} ${wanted} ${start} ${places.length}`;
    if (drawn !== this.#drawn)
      this.#body.replaceChildren(...places.map((place) => this.#line(list[place])));
    this.#drawn = drawn;
    this.#previous.disabled = this.#page === 0;
    this.#next.disabled = this.#page >= pages - 1;
    this.#where.textContent = this.#matched.length
      ? `${count(start + 1)} to ${count(start + places.length)} of ${plural(this.#matched.length, "row")}`
      : "No rows.";
  }

  #line(row) {
    if (row.problem) {
      return el(
        "tr.problem",
        {},
        el("th", { scope: "row" }, foreign(row.id, 100)),
        el(
          "td",
          { colspan: 3 },
          el("span.tag.warn", {}, "problem"),
          " ",
          foreign(row.problem, 400),
        ),
      );
    }
    const name = this.#rows.names.get(row.cwe);
    return el(
      "tr",
      {},
      el("th", { scope: "row" }, foreign(row.id, 100)),
      el("td", {}, el("code", {}, foreign(row.cwe, 20))),
      el("td.number", {}, percent(row.confidence)),
      el("td", {}, row.abstained ? this.#unsure(row) : null, foreign(name, 200)),
    );
  }

  #unsure({ backoff }) {
    const kind = backoff
      ? `not sure, but a kind of ${backoff} ${this.#rows.names.get(backoff)}`
      : "not sure";
    return el("span", {}, el("span.tag.warn", {}, kind), " Best guess: ");
  }
}
