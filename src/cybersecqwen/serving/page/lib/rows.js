// The rows of a batch: all of them for the downloads, a short form of each for the table.

import { csvLine, CSV_HEAD } from "./exports.js";
import { pause } from "../view/dom.js";

const LINES_A_PART = 1000;

export class Rows {
  /** Short forms in order: {id, cwe, confidence, abstained, note} or {id, problem}. */
  list = [];
  /** Problems, as the server gave them. */
  problems = [];
  unsure = 0;
  /** Rows by CWE id. */
  counts = new Map();
  names = new Map();
  // A browser may keep what is in a Blob on disk.
  #parts = [];
  #pending = [];

  /** Records that have been answered, with a row or a problem. */
  get answered() {
    return this.list.length;
  }

  get rows() {
    return this.list.length - this.problems.length;
  }

  /** Take a row, with the line it came as. */
  addRow(row, line) {
    const { backoff } = row;
    if (!this.names.has(row.cwe)) this.names.set(row.cwe, row.name);
    if (backoff && !this.names.has(backoff.cwe)) this.names.set(backoff.cwe, backoff.name);
    this.counts.set(row.cwe, (this.counts.get(row.cwe) ?? 0) + 1);
    if (row.abstained) this.unsure += 1;
    this.list.push({
      id: row.id,
      cwe: row.cwe,
      confidence: row.confidence,
      abstained: row.abstained,
      backoff: backoff?.cwe ?? null,
    });
    this.#pending.push(`${line}\n`);
    if (this.#pending.length >= LINES_A_PART) this.#pack();
  }

  addProblem(problem) {
    this.problems.push(problem);
    const { id, where, reason } = problem;
    this.list.push({ id: id || where, problem: id ? `${where}: ${reason}` : reason });
  }

  #pack() {
    this.#parts.push(new Blob([this.#pending.join("")]));
    this.#pending = [];
  }

  jsonl() {
    this.#pack();
    return new Blob(this.#parts, { type: "application/x-ndjson" });
  }

  problemLines() {
    const lines = this.problems.map((problem) => `${JSON.stringify(problem)}\n`);
    return new Blob(lines, { type: "application/x-ndjson" });
  }

  /** Return the rows as CSV, made piece by piece so that the page stays alive. */
  async csv() {
    this.#pack();
    const made = [CSV_HEAD];
    for (const part of this.#parts) {
      const text = await part.text();
      const rows = text
        .split("\n")
        .filter(Boolean)
        .map((line) => csvLine(JSON.parse(line)));
      made.push(new Blob(rows));
      await pause();
    }
    return new Blob(made, { type: "text/csv;charset=utf-8" });
  }
}
