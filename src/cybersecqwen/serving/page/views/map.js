// Map: one description to its weakness, in both conventions.

import { readAddress, setAddress, writeAddress } from "../lib/address.js";
import { aborted, getJson, postJson } from "../lib/api.js";
import { assessment } from "../lib/assessment.js";
import { copyButton } from "../lib/clipboard.js";
import { correctionForm } from "../lib/correct.js";
import {
  announce,
  away,
  bar,
  byId,
  count,
  el,
  foreign,
  notice,
  percent,
  submitByKeys,
  takeDrops,
} from "../view/dom.js";
import { cweLink, recordLinks } from "../view/links.js";
import { bandOf } from "../view/results.js";
import { doubts, relation } from "../lib/doubts.js";
import { errorBox } from "../lib/errors.js";
import { Explorer } from "../lib/explorer.js";
import { forgetRuns, onRuns, recall, remember, remembered } from "../lib/history.js";
import { describedIn, rowOf } from "../lib/records.js";
import { LABELLER, labelCount, labellers } from "../lib/server.js";

const MOST_FILE_BYTES = 1 << 20; // of a dropped file that may be one record
const TOP = 5;
const ID = /^(CVE-\d{4}-\d{4,}|GHSA(-[23456789cfghjmpqrvwx]{4}){3}|(PYSEC|GO|RUSTSEC)-\d{4}-\d+)$/i;
const EARLIER = 8;
const NAME_CHARACTERS = 90; // of a text, to call it by
const MOST_SHARED_CHARACTERS = 4000; // of a text, in an address

const EXAMPLES = [
  [
    "SQL injection",
    "The login form of the management console concatenates the user name into its SQL query, which lets a remote attacker read any table without signing in.",
  ],
  [
    "Memory error",
    "A crafted TIFF image with a wrong strip size makes the decoder write past the end of a heap buffer, which may let an attacker run code.",
  ],
  [
    "A vague one",
    "An unspecified issue in the web interface allows remote attackers to have an impact.",
  ],
];

/** @type {Explorer} */
let explorer;
/** @type {AbortController|null} */
let running = null;
let recordId = "";
let whole = ""; // the id or the record that the text is the description of
/**
 * What is shown; ``given`` is what the server was asked: the text, or an id or a record, which it
 * reads whole.
 * @type {{text: string, given: string, id: string, answers: Record<string, any>}|null}
 */
let shown = null;
let passOn;

/** @param {(file: File) => void} toBatch Takes a file of many records. */
export function startMap(toBatch) {
  passOn = toBatch;
  explorer = new Explorer(byId("map-side"));
  const form = byId("map-form");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    mapText();
  });
  submitByKeys(form);
  takeDrops(byId("view-map"), (what) =>
    typeof what === "string" ? setText(what) : takeFile(what),
  );
  byId("map-file").addEventListener("change", (event) => {
    const [file] = event.target.files;
    event.target.value = ""; // so that the same file can be chosen again
    if (file) takeFile(file);
  });
  byId("map-text").addEventListener("input", () => {
    recordId = "";
    whole = "";
  });
  byId("map-labeller").addEventListener("change", () => {
    if (!shown) return;
    show();
    tellAddress();
  });
  onRuns(() => {
    if (!shown) showEmpty();
  });
  showEmpty();
}

/** Restore what the address asks for: a text, or one that this browser keeps. */
export async function restoreMap() {
  const { section, parameters } = readAddress(location.hash);
  if (section !== "map") return;
  const kept = await recall(parameters.get("run") ?? "");
  const text = kept ? String(kept.content) : parameters.get("text");
  const labeller = kept?.run.labeller ?? parameters.get("labeller");
  const input = byId("map-labeller").querySelector(`input[value="${CSS.escape(labeller ?? "")}"]`);
  if (input && !input.disabled) input.checked = true;
  if (!text || text === shown?.given) return;
  setText(text, parameters.get("id") ?? "");
  await mapText();
}

/** Put the text and the convention into the address, so that it can be passed on. */
function tellAddress() {
  setAddress("map", addressed());
}

function addressed() {
  const parameters = new URLSearchParams();
  if (shown && shown.given.length <= MOST_SHARED_CHARACTERS) {
    parameters.set("text", shown.given);
    parameters.set("labeller", chosen());
    if (shown.id) parameters.set("id", shown.id);
  }
  return parameters;
}

/** Offer the conventions that the model knows, once that is known. */
export function tellMap() {
  const known = labellers();
  const group = byId("map-labeller");
  group.hidden = known.length < 2;
  for (const input of group.querySelectorAll("input"))
    input.disabled = !known.includes(input.value);
  if (!known.includes(chosen())) group.querySelector("input:enabled").checked = true;
  if (!shown) showHowToRead();
}

/** Put a text into the form and map it. */
export function mapThis(text) {
  setText(text);
  mapText();
}

function setText(text, id = "", of = "") {
  byId("map-text").value = text;
  recordId = id;
  whole = of;
}

function chosen() {
  return byId("map-labeller").querySelector("input:checked").value;
}

/** Take one record into the form, and leave a file of many to Batch. */
async function takeFile(file) {
  const note = byId("map-note");
  note.replaceChildren();
  const content = file.size <= MOST_FILE_BYTES ? await file.text().catch(() => null) : null;
  const record = content === null ? null : describedIn(content);
  if (record) {
    setText(record.text, record.id, content);
  } else if (content !== null && /\.(txt|md)$/i.test(file.name) && !content.includes("\ufffd")) {
    setText(content);
    const aside = el(
      "button",
      { type: "button", onclick: () => passOn(file) },
      "Map each line in Batch",
    );
    note.replaceChildren(
      notice("plain", `Read ${file.name} as one description.`, el("p", {}, aside)),
    );
  } else {
    passOn(file);
    return;
  }
  await mapText();
}

async function mapText() {
  const field = byId("map-text");
  const record = describedIn(field.value);
  if (record) {
    setText(record.text, record.id, field.value);
    const id = record.id ? ` of ${record.id}` : "";
    byId("map-note").replaceChildren(
      notice("plain", `This is the description${id}; the record is read whole.`),
    );
  }
  if (ID.test(field.value.trim()) && !(await lookUp(field.value.trim()))) return;
  const text = field.value;
  if (!text.trim()) {
    byId("map-note").replaceChildren(
      notice("plain", "There is no text yet.", "Paste a description first."),
    );
    announce("There is no text yet.");
    field.focus();
    return;
  }
  running?.abort();
  const mine = (running = new AbortController());
  const result = byId("map-result");
  result.setAttribute("aria-busy", "true");
  if (!shown) result.replaceChildren(el("p.hint", {}, "Reading it\u2026"));
  try {
    const given = whole || text;
    shown = { text, given, id: recordId, answers: await mapAll(given, mine.signal) };
    if (!record && !recordId) byId("map-note").replaceChildren();
    show();
    tellAddress();
    announceAnswer();
    remember(
      { kind: "text", name: nameOf(text, recordId), labeller: chosen(), rows: 1 },
      given,
    );
  } catch (error) {
    if (aborted(error)) return;
    shown = null;
    explorer.clear();
    result.replaceChildren(errorBox(error, "text", mapText));
  } finally {
    if (running === mine) result.setAttribute("aria-busy", "false");
  }
}

/** Show the description of an id in the form; return whether this machine's store has it. */
async function lookUp(id) {
  const note = byId("map-note");
  try {
    const record = await getJson(`api/advisories/${encodeURIComponent(id)}`);
    setText(record.description, record.id, record.id);
    const own = [...new Set([...record.nvd_cwe, ...record.cna_cwe])].join(", ");
    note.replaceChildren(
      notice(
        "plain",
        `${record.id}, from this server\u2019s store`,
        [
          record.cvss_score === null ? "" : `CVSS ${record.cvss_score} (${record.cvss_severity})`,
          own ? `labelled ${own}` : "without a label of its own",
          record.published ? `published ${record.published}` : "",
        ]
          .filter(Boolean)
          .join(", "),
      ),
    );
    return true;
  } catch (error) {
    note.replaceChildren(errorBox(error, "id", null));
    announce("It is an id, and there is no description of it here.");
    return false;
  }
}

/** Return what to call a text by: its id, or its beginning. */
function nameOf(text, id) {
  const line = text.replace(/\s+/g, " ").trim();
  return id || (line.length > NAME_CHARACTERS ? `${line.slice(0, NAME_CHARACTERS)}\u2026` : line);
}

/** Return the rows of a text, an id or a record, by labeller. */
async function mapAll(given, signal) {
  const known = labellers();
  const rows = await Promise.all(
    known.map((labeller) => rowOf("api/map", given, { labeller, top_k: TOP }, signal)),
  );
  return Object.fromEntries(known.map((labeller, place) => [labeller, rows[place]]));
}

function announceAnswer() {
  const answer = current();
  const sure = answer.abstained ? "The model is not sure. Best guess" : "Answer";
  announce(`${sure}: ${answer.cwe}, ${answer.name}, ${percent(answer.confidence)}.`);
}

/** Return the row of the convention that is chosen. */
function current() {
  const answers = shown?.answers ?? {};
  return answers[chosen()] ?? Object.values(answers)[0];
}

function show() {
  if (!shown) return;
  const answer = current();
  const labeller = shown.answers[chosen()] ? chosen() : Object.keys(shown.answers)[0];
  const subject = { ...shown, labeller, answer };
  const unsure = el("div", { class: "unsure" });
  const conventions = el("div", { class: "conventions" });
  byId("map-result").replaceChildren(
    answerCard(answer, labeller),
    unsure,
    candidateList(answer),
    assessment(shown.given, labeller) ?? "",
    conventions,
    correctionForm(subject),
  );
  explorer.show({ text: shown.text, candidates: answer.candidates }, answer.cwe);
  fillDoubts(unsure, answer);
  fillConventions(conventions);
}

function answerCard(answer, labeller) {
  const who = LABELLER[labeller] ?? labeller;
  const inHundred = Math.min(Math.round(answer.confidence * 100), 99);
  return el(
    `div.answer${answer.abstained ? ".unsure-answer" : ""}`,
    {},
    el(
      "p.eyebrow",
      {},
      answer.abstained ? `Not sure. Best guess at what ${who} would say` : `${who} would say`,
    ),
    el("h3", {}, el("span.cwe", {}, answer.cwe), " ", foreign(answer.name, 300)),
    el(
      "div.confidence",
      {},
      el("strong", {}, percent(answer.confidence)),
      bar(answer.confidence, `Confidence in ${answer.cwe}`),
      el("span.tag", {}, bandOf(answer.abstained, answer.band)),
    ),
    el(
      "p.hint",
      {},
      `Calibrated: of the answers given with this confidence, about ${inHundred} in 100 are right.`,
    ),
    answer.usage === "discouraged" || answer.usage === "prohibited"
      ? el("p.hint", {}, `MITRE\u2019s mapping usage of ${answer.cwe}: ${answer.usage}.`)
      : null,
    answer.denied
      ? el("p.hint", {}, "Denied in the text: ", foreign(answer.denied.join("; "), 500))
      : null,
    el(
      "p.links",
      {},
      copyButton("Copy the answer", () => answerText(answer, who)),
      copyButton("Copy a link", () => linkTo()),
      recordLinks(shown?.id ?? "").map(([words, address]) => away(words, address)),
      away(`${answer.cwe} at MITRE`, cweLink(answer.cwe)),
    ),
  );
}

/** Return an answer as a line for a ticket. */
function answerText(answer, who) {
  const subject = shown?.id ? `${shown.id}: ` : "";
  const doubt = answer.abstained ? ", not sure" : "";
  return `${subject}${answer.cwe} ${answer.name} (${percent(answer.confidence)} by ${who}\u2019s convention${doubt}; ${answer.model}, CWE ${answer.catalogue})`;
}

/** Return an address that opens this text in any browser that reaches this server. */
function linkTo() {
  return new URL(writeAddress("map", addressed()), location.href).href;
}

async function fillDoubts(place, answer) {
  const said = await doubts(answer, shown?.text ?? "");
  if (current() !== answer) return;
  place.replaceChildren(
    el("h4", {}, "What it is unsure about"),
    said.length
      ? el(
          "ul",
          {},
          said.map((sentence) => el("li", {}, foreign(sentence))),
        )
      : el("p", {}, "Nothing stands out: no runner-up is close."),
  );
}

function candidateList(answer) {
  const rest = 1 - answer.candidates.reduce((sum, { probability }) => sum + probability, 0);
  const total = labelCount();
  const others = total
    ? `the other ${count(total - answer.candidates.length)} ids`
    : "all other ids";
  return el(
    "div",
    {},
    el("h4", {}, "The answer and its runners-up"),
    el(
      "ol.bars",
      {},
      answer.candidates.map(({ cwe, name, probability }) =>
        el(
          "li",
          {},
          el(
            "button.link",
            {
              type: "button",
              onclick: () =>
                explorer.show({ text: shown?.text ?? "", candidates: answer.candidates }, cwe),
            },
            el("code", {}, cwe),
            " ",
            foreign(name, 300),
          ),
          bar(probability, `${cwe}`),
          el("span.number", {}, percent(probability)),
        ),
      ),
    ),
    el("p.hint", {}, `${percent(Math.max(rest, 0))} is spread over ${others}.`),
  );
}

async function fillConventions(place) {
  const entries = Object.entries(shown?.answers ?? {});
  if (entries.length < 2) return;
  const mine = shown;
  const [[, a], [, b]] = entries;
  const how = await relation(a.cwe, b.cwe).catch(() => "");
  if (shown !== mine) return;
  const sentence = {
    "the same": "Both conventions give the same id.",
    broader: `They differ: ${b.cwe} is broader than ${a.cwe}.`,
    narrower: `They differ: ${b.cwe} is more specific than ${a.cwe}.`,
    "a sibling": "They differ: the two ids are neighbours under one parent.",
    "elsewhere in the tree": "They differ: the two ids are from different parts of the tree.",
  };
  place.replaceChildren(
    el("h4", {}, "Both conventions"),
    el(
      "table",
      {},
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          el("th", { scope: "col" }, "Convention"),
          el("th", { scope: "col" }, "Weakness"),
          el("th.number", { scope: "col" }, "Confidence"),
        ),
      ),
      el(
        "tbody",
        {},
        entries.map(([labeller, row]) =>
          el(
            "tr",
            { class: labeller === chosen() ? "here" : null },
            el("th", { scope: "row" }, LABELLER[labeller] ?? labeller),
            el(
              "td",
              {},
              el("code", {}, row.cwe),
              " ",
              foreign(row.name, 300),
              row.abstained ? el("span.tag.warn", {}, "not sure") : null,
            ),
            el("td.number", {}, percent(row.confidence)),
          ),
        ),
      ),
    ),
    el("p.hint", {}, sentence[how] ?? "They differ."),
  );
}

async function showEmpty() {
  showHowToRead();
  const runs = await remembered("text");
  if (shown) return;
  byId("map-result").replaceChildren(
    el(
      "div.empty",
      {},
      el("p", {}, "No text at hand? Try one of these:"),
      el(
        "p.row",
        {},
        EXAMPLES.map(([name, text]) =>
          el("button", { type: "button", onclick: () => mapThis(text) }, name),
        ),
      ),
    ),
    ...(runs.length ? [earlier(runs)] : []),
  );
}

/** Return the texts that this browser keeps. */
function earlier(runs) {
  return el(
    "details.kind",
    { open: true },
    el("summary", {}, "Earlier texts, kept in this browser"),
    el(
      "ul.earlier",
      {},
      runs
        .slice(0, EARLIER)
        .map(({ id, name }) =>
          el("li", {}, el("a", { href: `#map?run=${id}` }, foreign(name, NAME_CHARACTERS))),
        ),
    ),
    el(
      "button.link",
      { type: "button", onclick: () => forgetRuns(runs.map(({ id }) => id)) },
      "Forget them all",
    ),
  );
}

function showHowToRead() {
  const place = el("div", {});
  if (labelCount() !== null) fillSample(place);
  byId("map-side").replaceChildren(
    el(
      "div.empty",
      {},
      el("h3", {}, "How to read an answer"),
      place,
      el(
        "p",
        {},
        "The confidence is a calibrated probability: it says how often such an answer is right.",
      ),
      el(
        "p",
        {},
        "Below its threshold the model abstains. It then names the broader weakness that it is still sure of, if there is one.",
      ),
      el(
        "p",
        {},
        "NVD's analysts and the vendors that assign CVEs name the same flaw differently. The model knows both conventions.",
      ),
      el(
        "p",
        {},
        "Here you will see where the weakness sits in the CWE tree and what explains it.",
      ),
    ),
  );
}

/** Show how an answer looks: this server's own to one of the examples. */
async function fillSample(place) {
  const [, text] = EXAMPLES[1];
  // What is wrong is said where it matters.
  const answer = await postJson("api/map", { text }).catch(() => null);
  if (!answer || !place.isConnected) return;
  place.replaceChildren(
    el(
      "div.answer.sample",
      {},
      el("p.eyebrow", {}, `\u201c${text}\u201d`),
      el("p", {}, el("span.cwe", {}, answer.cwe), " ", foreign(answer.name, 300)),
      el(
        "div.confidence",
        {},
        el("strong", {}, percent(answer.confidence)),
        bar(answer.confidence, "Confidence of the example"),
      ),
    ),
  );
}
