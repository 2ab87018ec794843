// The rows of a batch: each line as it came, for downloads and for opening a row, and a short form
// for the view.

import { bandOf } from "../view/results.js";

const LINES_A_PART = 500;
const SKIPPED = new Set(["rejected", "reserved", "withdrawn"]);

/** @typedef {import("../view/results.js").Row} Row */

export class Rows {
  /** Short forms, in the input's order. @type {Row[]} */
  list = [];
  /** Problems, as the server gave them. @type {{id: string, where: string, reason: string}[]} */
  problems = [];
  /** @type {Record<import("../view/results.js").Band, number>} */
  bands = { sure: 0, likely: 0, unsure: 0 };
  /** What is said of the input as a whole. @type {string[]} */
  notes = [];
  /** Records that say of themselves to be passed over: rejected, reserved, withdrawn. */
  skipped = 0;
  // A browser may keep what is in a Blob on disk.
  /** @type {Blob[]} */
  #parts = [];
  /** @type {string[]} */
  #pending = [];
  /** The part that was read last. @type {{place: number, lines: string[]}|null} */
  #read = null;

  /** Lines that have come: rows, problems and notes. */
  answered = 0;

  get rows() {
    return this.list.length - this.problems.length - this.skipped;
  }

  /**
   * Take a line: a row of /api/map/file, or {"problem": ...}.
   * @param {any} value What it says.
   * @param {string} line
   */
  add(value, line) {
    const place = this.answered;
    this.answered += 1;
    if (value.problem?.kind === "note") {
      this.notes.push(value.problem.reason);
    } else if (value.problem) {
      if (SKIPPED.has(value.problem.kind)) this.skipped += 1;
      else this.problems.push(value.problem);
      this.list.push(problemRow(value.problem, place));
    } else {
      const row = viewRow(value, place);
      this.bands[row.band] += 1;
      this.list.push(row);
    }
    this.#pending.push(line);
    if (this.#pending.length >= LINES_A_PART) {
      this.#parts.push(new Blob([`${this.#pending.join("\n")}\n`]));
      this.#pending = [];
    }
  }

  /**
   * Return what a row of the view opens to.
   * @param {Row} row
   * @returns {Promise<import("../view/row_table.js").Detail>}
   */
  async detail({ place }) {
    const value = JSON.parse(await this.#line(place));
    const { candidates, columns, reason, denied, title = "", description = "" } = value;
    return { text: description, title, candidates, columns, reason, denied };
  }

  /** @param {number} place */
  async #line(place) {
    const part = Math.floor(place / LINES_A_PART);
    if (part >= this.#parts.length) return this.#pending[place % LINES_A_PART];
    if (this.#read?.place !== part) {
      this.#read = { place: part, lines: (await this.#parts[part].text()).split("\n") };
    }
    return this.#read.lines[place % LINES_A_PART];
  }

  /** Return every line, problems too. */
  everything() {
    const rest = this.#pending.length ? [`${this.#pending.join("\n")}\n`] : [];
    return new Blob([...this.#parts, ...rest], { type: "application/x-ndjson" });
  }

  /** Return the rows alone, as JSON lines. */
  async jsonl() {
    if (this.answered === this.rows) return this.everything();
    /** @type {BlobPart[]} */
    const kept = [];
    for (const part of [...this.#parts, new Blob([`${this.#pending.join("\n")}\n`])]) {
      const lines = (await part.text()).split("\n");
      const rows = lines.filter((line) => line && !line.startsWith('{"problem"'));
      kept.push(new Blob(rows.map((line) => `${line}\n`)));
    }
    return new Blob(kept, { type: "application/x-ndjson" });
  }

  problemLines() {
    const lines = this.problems.map((problem) => `${JSON.stringify(problem)}\n`);
    return new Blob(lines, { type: "application/x-ndjson" });
  }
}

/**
 * Return the view's form of a row.
 * @param {any} row
 * @param {number} place
 * @returns {Row}
 */
export function viewRow(row, place) {
  const { nvd_cwe: nvd = [], cna_cwe: cna = [], published = "" } = row;
  return {
    place,
    id: row.id,
    cwe: row.cwe,
    confidence: row.confidence,
    abstained: row.abstained,
    band: bandOf(row.abstained, row.band),
    backoff: row.backoff?.cwe ?? "",
    said: [...new Set([...nvd, ...cna])],
    agrees: row.agrees ?? null,
    score: row.cvss_score ?? null,
    severity: row.cvss_severity ?? "",
    year: yearOf(published, row.id),
    url: row.url ?? "",
    title: row.title ?? "",
  };
}

/**
 * Return the year of publication, else that of a CVE id, else an empty string.
 * @param {string} published
 * @param {string} id
 */
export function yearOf(published, id) {
  const found = /^((?:19|20)\d\d)-/.exec(published) ?? /^CVE-(\d{4})-\d+$/i.exec(id);
  return found ? found[1] : "";
}

/**
 * @param {{id: string, where: string, reason: string}} problem
 * @param {number} place
 * @returns {Row}
 */
function problemRow({ id, where, reason }, place) {
  return {
    place,
    id: id || where,
    cwe: "",
    confidence: 0,
    abstained: true,
    band: "unsure",
    backoff: "",
    said: [],
    agrees: null,
    score: null,
    severity: "",
    year: yearOf("", id),
    url: "",
    title: "",
    problem: id ? `${where}: ${reason}` : reason,
  };
}
