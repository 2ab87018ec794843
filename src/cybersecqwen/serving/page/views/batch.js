// Batch: a file to the server, rows back as a stream, gone on with after a lost connection.

import { readAddress, setAddress } from "../lib/address.js";
import { ApiError, aborted, lines, request, streamedError } from "../lib/api.js";
import { assessment } from "../lib/assessment.js";
import { copyButton } from "../lib/clipboard.js";
import { errorBox } from "../lib/errors.js";
import { forgetRuns, onRuns, recall, remember, remembered } from "../lib/history.js";
import { Rows } from "../lib/rows.js";
import { getTree } from "../lib/server.js";
import { estimate } from "../lib/totals.js";
import {
  announce,
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
import { ResultView } from "../view/result_view.js";
import { NO_FILTER, readFilter, writeFilter } from "../view/results.js";

const DRAW_MS = 400;
const SLICE_MS = 25; // of parsing before the page may breathe
const POLL_MS = 2000;
const MOST_BARREN = 3; // lost connections in a row that brought no record
const MOST_POLLS = 300;
const MOST_KEPT_BYTES = 64 << 20; // of a result that the history takes

/** What rows can be downloaded as: the server's format, words, ending. */
const DOWNLOADS = [
  ["csv", "CSV", "csv"],
  ["xlsx", "Excel", "xlsx"],
  ["html", "Report", "html"],
  ["jsonl", "JSON lines", "jsonl"],
  ["sarif", "SARIF", "sarif"],
  ["cve5", "CVE containers", "cve5.jsonl"],
  ["markdown", "Markdown", "md"],
];

/** @type {File|null} */
let chosenFile = null;
/** @type {Batch|null} */
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
  onRuns(showEarlier);
  showEarlier();
  showEmpty();
}

/** Restore what the address asks for: an earlier result of this browser, and which of its rows. */
export async function restoreBatch() {
  const { section, parameters } = readAddress(location.hash);
  if (section !== "batch") return;
  const id = parameters.get("run");
  if (!id || batch?.id === id) {
    batch?.view.apply(readFilter(parameters));
    return;
  }
  if (batch?.busy) return;
  const found = await recall(id);
  if (!found) {
    byId("batch-note").replaceChildren(
      notice(
        "plain",
        "This result is not kept here.",
        "An address like this one opens a result in the browser that made it. Download a report to pass one on.",
      ),
    );
    return;
  }
  batch = new Batch({ name: found.run.name, options: { format: "auto", labeller: found.run.labeller } });
  batch.id = id;
  byId("batch-result").replaceChildren(batch.node);
  await batch.fill(/** @type {Blob} */ (found.content));
  batch.view.apply(readFilter(parameters));
}

function showEmpty() {
  byId("batch-result").replaceChildren(
    el(
      "div.empty",
      {},
      el("h3", {}, "What you will see"),
      el(
        "p",
        {},
        "How many records there are and how sure the answers, the weaknesses by family, year and severity, where the records\u2019 own labels differ, and what to look at first. Every row opens to its text.",
      ),
      el(
        "p",
        {},
        "Any part can be pressed to see its rows alone. Download them for Excel, GitHub code scanning or as a report to send on.",
      ),
    ),
  );
}

async function showEarlier() {
  const runs = await remembered("batch");
  byId("batch-earlier").replaceChildren(
    ...(runs.length
      ? [
          el(
            "details.kind",
            { open: !batch },
            el("summary", {}, "Earlier results, kept in this browser"),
            el(
              "ul.earlier",
              {},
              runs.map((run) =>
                el(
                  "li",
                  {},
                  el("a", { href: `#batch?run=${run.id}` }, foreign(run.name, 80)),
                  el("span.hint", {}, ` ${plural(run.rows, "row")}, ${when(run.when)} `),
                  el(
                    "button.link",
                    {
                      type: "button",
                      "aria-label": `Forget ${run.name}`,
                      onclick: () => forgetRuns([run.id]),
                    },
                    "Forget",
                  ),
                ),
              ),
            ),
          ),
        ]
      : []),
  );
}

/** @param {string} iso */
const when = (iso) => new Date(iso).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });

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
  batch = new Batch({ file: chosenFile, name: chosenFile.name, options });
  byId("batch-note").replaceChildren();
  byId("batch-result").replaceChildren(batch.node);
  setAddress("batch", new URLSearchParams());
  batch.run();
}

/** One file's way through the server. */
class Batch {
  rows = new Rows();
  unsaved = false;
  busy = false;
  /** Under which it is kept in this browser, or an empty string. */
  id = "";
  /** @type {File|null} */
  #file;
  #name;
  #options;
  /** @type {AbortController|null} */
  #control = null;
  /** @type {number|null} */
  #total = null;
  #barren = 0;
  #ended = false;
  #waiting = false;
  #progress = el("progress", { "aria-label": "Records answered" });
  #state = el("p", { class: "state" });
  #note = el("div", {});
  #notes = el("ul.hint", { "aria-label": "Notes on the file" });
  #cancel = el("button", { type: "button", onclick: () => this.stop() }, "Cancel");
  #resume = el("button", { type: "button", hidden: true, onclick: () => this.run() }, "Go on");
  #as;
  #save;
  #problems;
  #share;

  /** @param {{file?: File|null, name: string, options: {format: string, labeller: string}}} from */
  constructor({ file = null, name, options }) {
    this.#file = file;
    this.#name = name;
    this.#options = options;
    this.view = new ResultView({
      detail: (row) => this.rows.detail(row),
      changed: (filter) => this.#tellAddress(filter),
      more: (_row, { text }) => assessment(text, this.#options.labeller),
    });
    this.view.rows = this.rows.list;
    getTree().then(
      (tree) => this.view.setTree(tree),
      () => {}, // names are missing, and the families; the rows are there
    );
    this.#as = el(
      "select",
      { "aria-label": "Download as" },
      DOWNLOADS.map(([value, words]) => el("option", { value }, words)),
    );
    this.#save = el(
      "button",
      { type: "button", disabled: true, onclick: () => this.#download() },
      "Download",
    );
    this.#problems = el(
      "button",
      { type: "button", hidden: true, onclick: () => this.#downloadProblems() },
      "Download problems",
    );
    this.#share = copyButton("Copy link", () => location.href);
    this.#share.hidden = true;
    this.node = el(
      "div",
      {},
      el(
        "div.panel",
        {},
        this.#state,
        this.#progress,
        this.#notes,
        el(
          "div.row",
          {},
          this.#cancel,
          this.#resume,
          el("span.grow"),
          this.#problems,
          this.#share,
          this.#as,
          this.#save,
        ),
      ),
      this.#note,
      this.view.node,
    );
    this.view.node.hidden = true;
    if (file) this.#estimate(file);
  }

  async #estimate(file) {
    this.#total = await estimate(file, this.#options.format);
    this.#draw();
  }

  /** Say in the address which rows are shown, once the result can be found by it. */
  #tellAddress(filter) {
    const parameters = writeFilter(filter);
    if (this.id) parameters.set("run", this.id);
    setAddress("batch", parameters);
  }

  /**
   * Take the lines of an earlier result.
   * @param {Blob} content
   */
  async fill(content) {
    let began = performance.now();
    for (const line of (await content.text()).split("\n")) {
      if (line) this.rows.add(JSON.parse(line), line);
      if (performance.now() - began > SLICE_MS) {
        await pause();
        began = performance.now();
      }
    }
    this.#ended = true;
    this.#cancel.hidden = true;
    this.#share.hidden = false;
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
      await this.#keep();
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
      skip: String(this.rows.answered),
      name: this.#name,
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
    /** @type {any} */
    let value;
    try {
      value = JSON.parse(line);
    } catch {
      throw new ApiError("cut", "A row arrived in part.");
    }
    if (value.error) throw streamedError(value.error);
    this.rows.add(value, line);
    this.unsaved = true;
  }

  /** Keep the result in this browser, so that its address can open it again. */
  async #keep() {
    const content = this.rows.everything();
    if (content.size > MOST_KEPT_BYTES || !this.rows.answered) return;
    const { labeller } = this.#options;
    const run = { kind: /** @type {const} */ ("batch"), name: this.#name, labeller, rows: this.rows.rows };
    const id = await remember(run, content);
    if (!(await recall(id))) return; // a browser that keeps nothing
    this.id = id;
    this.unsaved = false;
    this.#share.hidden = false;
    this.#tellAddress(this.view.filter);
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
    const { answered, rows, bands, skipped, problems, notes } = this.rows;
    const known = this.#total !== null && this.#total >= answered && this.#total > 0;
    if (this.#ended) this.#progress.value = 1;
    else if (known) this.#progress.value = answered / (this.#total ?? 1);
    else if (this.busy) this.#progress.removeAttribute("value");
    else this.#progress.value = 0;
    this.#progress.hidden = this.#ended;
    const of = known && !this.#ended ? ` of about ${count(this.#total ?? 0)}` : "";
    const verb = this.#verb(answered);
    this.#state.textContent =
      `${verb}${count(answered - notes.length)}${of} records answered: ${count(bands.sure)} sure, ` +
      `${count(bands.likely)} likely, ${count(bands.unsure)} unsure; ` +
      (skipped ? `${count(skipped)} rejected or withdrawn, ` : "") +
      `${plural(problems.length, "problem")}.`;
    this.#notes.replaceChildren(...notes.map((words) => el("li", {}, foreign(words, 400))));
    this.#save.disabled = !rows;
    this.#problems.hidden = !problems.length;
    this.view.node.hidden = !answered;
    if (answered) this.view.refresh();
  }

  #verb(answered) {
    if (this.#ended) return "Done: ";
    if (this.#waiting) return "Waiting. ";
    return this.busy && !answered ? "Sending the file. " : "";
  }

  /** Have the server write the rows in the format that is chosen. */
  async #download() {
    const [to, , ending] = DOWNLOADS.find(([value]) => value === this.#as.value) ?? DOWNLOADS[0];
    this.#save.disabled = true;
    this.#save.textContent = "Writing it\u2026";
    try {
      const rows = await this.rows.jsonl();
      const query = new URLSearchParams({ to, name: this.#name });
      const made =
        to === "jsonl"
          ? rows
          : await (
              await request(`api/rows?${query}`, {
                method: "POST",
                body: rows,
                headers: { "Content-Type": "application/x-ndjson" },
              })
            ).blob();
      download(made, `${this.#stem()}-cwe.${ending}`);
      this.unsaved = this.busy;
      this.#note.replaceChildren();
    } catch (error) {
      this.#note.replaceChildren(errorBox(error, "file", () => this.#download()));
    } finally {
      this.#save.disabled = false;
      this.#save.textContent = "Download";
    }
  }

  #downloadProblems() {
    download(this.rows.problemLines(), `${this.#stem()}-cwe.problems.jsonl`);
  }

  /** Return the file's name without its endings. */
  #stem() {
    const stem = this.#name
      .replace(/(\.(gz|bz2|xz|zst|zip|tar))*$/i, "")
      .replace(/\.(json|jsonl|ndjson|csv|tsv|txt|xlsx|yaml|md)$/i, "");
    return stem || "answers";
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
