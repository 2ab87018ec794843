// Batch: a file to the server, rows back as a stream, gone on with after a lost connection.

import { ApiError, aborted, lines, request, streamedError } from "../lib/api.js";
import {
  announce,
  bar,
  byId,
  count,
  download,
  el,
  foreign,
  notice,
  pause,
  plural,
  takeDrops,
  visible,
} from "../view/dom.js";
import { errorBox } from "../lib/errors.js";
import { Rows } from "../lib/rows.js";
import { RowTable } from "../lib/table.js";
import { estimate } from "../lib/totals.js";

const DRAW_MS = 250;
const SLICE_MS = 25; // of parsing before the page may breathe
const POLL_MS = 2000;
const MOST_BARREN = 3; // lost connections in a row that brought no record
const MOST_POLLS = 300;
const TOP_CWES = 8;

let chosenFile = null;
let batch = null;

export function startBatch() {
  byId("batch-form").addEventListener("submit", (event) => {
    event.preventDefault();
    start();
  });
  byId("batch-file").addEventListener("change", (event) => {
    const [file] = event.target.files;
    event.target.value = "";
    if (file) chooseFile(file);
  });
  takeDrops(byId("view-batch"), (what) => {
    if (typeof what !== "string") chooseFile(what);
  });
  addEventListener("beforeunload", (event) => {
    if (batch && (batch.busy || batch.unsaved)) event.preventDefault();
  });
  byId("batch-result").replaceChildren(
    el(
      "div.empty",
      {},
      el(
        "p",
        {},
        "No file yet. Rows appear here as they are ready, in the order of the file; download them as CSV or JSON lines.",
      ),
    ),
  );
}

/** Take a file and wait for the button. */
export function chooseFile(file) {
  chosenFile = file;
  byId("batch-chosen").textContent = `${visible(file.name)}, ${size(file.size)}`;
  byId("batch-start").disabled = Boolean(batch?.busy);
  byId("batch-note").replaceChildren();
}

function size(bytes) {
  if (bytes < 1e6) return `${Math.max(Math.round(bytes / 1e3), 1)} kB`;
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function start() {
  if (!chosenFile || batch?.busy) return;
  if (batch?.unsaved && !confirm("The rows of the last file were not downloaded. Drop them?"))
    return;
  batch?.stop();
  const options = { format: byId("batch-format").value, labeller: byId("batch-labeller").value };
  batch = new Batch(chosenFile, options);
  byId("batch-note").replaceChildren();
  byId("batch-result").replaceChildren(batch.node);
  batch.run();
}

/** One file's way through the server. */
class Batch {
  rows = new Rows();
  unsaved = false;
  busy = false;
  #file;
  #options;
  #control = null;
  #total = null;
  #barren = 0;
  #ended = false;
  #waiting = false;
  #table = new RowTable(this.rows);
  #progress = el("progress", { "aria-label": "Records answered" });
  #state = el("p", { class: "state" });
  #note = el("div", {});
  #top = el("div", {});
  #cancel = el("button", { type: "button", onclick: () => this.stop() }, "Cancel");
  #resume = el("button", { type: "button", hidden: true, onclick: () => this.run() }, "Go on");
  #downloads;
  #problems;

  constructor(file, options) {
    this.#file = file;
    this.#options = options;
    const save = (name, make) =>
      el(
        "button",
        { type: "button", disabled: true, onclick: () => this.#save(name, make) },
        `Download ${name === "problems" ? name : name.toUpperCase()}`,
      );
    this.#downloads = [save("csv", () => this.rows.csv()), save("jsonl", () => this.rows.jsonl())];
    this.#problems = save("problems", () => this.rows.problemLines());
    this.node = el(
      "div",
      {},
      el(
        "div.panel",
        {},
        this.#state,
        this.#progress,
        el(
          "div.row",
          {},
          this.#cancel,
          this.#resume,
          el("span.grow"),
          this.#problems,
          this.#downloads,
        ),
      ),
      this.#note,
      this.#top,
      this.#table.node,
    );
    this.#estimate();
  }

  async #estimate() {
    this.#total = await estimate(this.#file, this.#options.format);
    this.#draw();
  }

  /** Map the file, or what is left of it. */
  async run() {
    this.busy = true;
    this.#ended = false;
    this.#resume.hidden = true;
    this.#cancel.hidden = false;
    byId("batch-start").disabled = true;
    this.#note.replaceChildren();
    const timer = setInterval(() => this.#draw(), DRAW_MS);
    this.#draw();
    try {
      while (!(await this.#stretch()));
      this.#ended = true;
      announce(
        `Done: ${plural(this.rows.rows, "row")}, ${plural(this.rows.problems.length, "problem")}.`,
      );
    } catch (error) {
      this.#fail(error);
    } finally {
      clearInterval(timer);
      this.busy = false;
      this.#waiting = false;
      this.#cancel.hidden = true;
      byId("batch-start").disabled = !chosenFile;
      this.#draw();
    }
  }

  stop() {
    this.#control?.abort();
  }

  #fail(error) {
    this.#resume.hidden = false;
    if (aborted(error)) {
      this.#note.replaceChildren(
        notice(
          "plain",
          "Cancelled.",
          "The rows so far are kept: download them, or go on where it stopped.",
        ),
      );
      announce("Cancelled.");
      return;
    }
    this.#resume.hidden = this.rows.answered === 0;
    this.#note.replaceChildren(
      errorBox(error, "file", this.rows.answered ? null : () => this.run()),
    );
  }

  /** Send the file once; return whether that was the end of it, waiting where it was not. */
  async #stretch() {
    const before = this.rows.answered;
    this.#control = new AbortController();
    const { signal } = this.#control;
    try {
      await this.#send(signal);
      return true;
    } catch (error) {
      if (aborted(error)) throw error;
      this.#barren = this.rows.answered > before ? 0 : this.#barren + 1;
      const wait = waitable(error);
      if (!wait || this.#barren > MOST_BARREN) throw error;
      await this.#wait(error, signal);
      return false;
    }
  }

  async #send(signal) {
    const { format, labeller } = this.#options;
    const query = new URLSearchParams({
      format,
      labeller,
      skip: this.rows.answered,
      name: this.#file.name,
    });
    const response = await request(`api/map/file?${query}`, {
      method: "POST",
      body: this.#file,
      headers: { "Content-Type": "application/octet-stream", Accept: "application/x-ndjson" },
      signal,
    });
    let began = performance.now();
    for await (const piece of lines(response)) {
      for (const line of piece) {
        if (line) this.#take(line);
        if (performance.now() - began > SLICE_MS) {
          await pause();
          signal.throwIfAborted();
          began = performance.now();
        }
      }
    }
  }

  #take(line) {
    let value;
    try {
      value = JSON.parse(line);
    } catch {
      throw new ApiError("cut", "A row arrived in part.");
    }
    if (value.error) throw streamedError(value.error);
    if (value.problem) this.rows.addProblem(value.problem);
    else this.rows.addRow(value, line);
    this.unsaved = true;
  }

  /** Wait until the server can go on: as long as it asked for, or until it answers again. */
  async #wait(error, signal) {
    const busy = error.status === 429 || error.status === 503;
    const what = busy ? "The server is busy" : "The connection was lost";
    this.#note.replaceChildren(
      notice(
        "plain",
        `${what}.`,
        "The rows so far are kept. Going on by itself as soon as the server can.",
      ),
    );
    this.#waiting = true;
    announce(`${what}. Waiting for it.`);
    if (busy) await sleep((error.retryAfter ?? 2) * 1000, signal);
    for (let poll = 0; poll < MOST_POLLS; poll += 1) {
      await sleep(busy && poll === 0 ? 0 : POLL_MS, signal);
      const ready = await request("ready", { signal }).catch((failure) => {
        if (aborted(failure)) throw failure;
        return null;
      });
      if (ready) break;
    }
    this.#waiting = false;
    this.#note.replaceChildren();
  }

  #draw() {
    const { answered, rows, unsure, problems } = this.rows;
    const known = this.#total !== null && this.#total >= answered && this.#total > 0;
    if (this.#ended) this.#progress.value = 1;
    else if (known) this.#progress.value = answered / this.#total;
    else if (this.busy) this.#progress.removeAttribute("value");
    else this.#progress.value = 0;
    const of = known && !this.#ended ? ` of about ${count(this.#total)}` : "";
    const verb = this.#verb(answered);
    this.#state.textContent =
      `${verb}${count(answered)}${of} records answered, ${count(unsure)} not sure, ` +
      `${plural(problems.length, "problem")}.`;
    for (const button of this.#downloads) button.disabled = !rows;
    this.#problems.hidden = !problems.length;
    this.#problems.disabled = false;
    this.#drawTop();
    this.#table.node.hidden = !answered;
    this.#table.refresh();
  }

  #verb(answered) {
    if (this.#ended) return "Done: ";
    if (this.#waiting) return "Waiting. ";
    return this.busy && !answered ? "Sending the file. " : "";
  }

  #drawTop() {
    const { counts, names, rows } = this.rows;
    if (!rows) return;
    const top = [...counts].sort(([, a], [, b]) => b - a).slice(0, TOP_CWES);
    this.#top.replaceChildren(
      el(
        "details.kind",
        { open: this.#top.firstChild?.open ?? false },
        el("summary", {}, `The most frequent of ${count(counts.size)} weaknesses`),
        el(
          "ol.bars",
          {},
          top.map(([cwe, number]) =>
            el(
              "li",
              {},
              el("span", {}, el("code", {}, foreign(cwe, 20)), " ", foreign(names.get(cwe), 200)),
              bar(number / rows, `${cwe}, share of the rows`),
              el("span.number", {}, count(number)),
            ),
          ),
        ),
      ),
    );
  }

  async #save(kind, make) {
    const stem = this.#file.name
      .replace(/(\.(gz|zip))?$/i, "")
      .replace(/\.(jsonl?|ndjson|csv|tsv|txt)$/i, "");
    const ending = kind === "problems" ? "problems.jsonl" : kind;
    download(await make(), `${stem || "answers"}-cwe.${ending}`);
    if (kind !== "problems") this.unsaved = this.busy;
  }
}

/** Whether an error goes away by waiting. */
const waitable = (error) =>
  error.kind === "cut" || error.kind === "gone" || error.status === 429 || error.status === 503;

function sleep(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener(
      "abort",
      () => {
        clearTimeout(timer);
        reject(signal.reason);
      },
      { once: true },
    );
  });
}
