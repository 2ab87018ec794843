// Ask: a question, and an answer whose every citation opens the passage beside it.

import { readAddress, setAddress } from "../lib/address.js";
import { ApiError, aborted, events, jsonBody, request, streamedError } from "../lib/api.js";
import { addTurn, beginConversation, earlierQuestions, earlierTurns } from "../lib/conversation.js";
import { announce, bar, byId, el, foreign, notice, percent, submitByKeys, visible } from "../view/dom.js";
import { errorBox } from "../lib/errors.js";
import { booklessNotice, passageCount, passageView } from "../lib/passages.js";
import { bookless, wordless } from "../lib/server.js";

const EXAMPLES = [
  "How can password spraying be detected?",
  "Which mitigations does CWE-89 have?",
  "Which techniques does APT29 use for persistence?",
];

/** @type {AbortController|null} */
let running = null;
let mapIt;

/** @param {(text: string) => void} toMap Opens a text in Map. */
export function startAsk(toMap) {
  mapIt = toMap;
  const form = byId("ask-form");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask();
  });
  submitByKeys(form);
  byId("ask-stop").addEventListener("click", stop);
  byId("view-ask").addEventListener("keydown", (event) => {
    if (event.key === "Escape") stop();
  });
  showEmpty();
}

/** Say what the server lacks, once that is known. */
export function tellAsk() {
  const note = byId("ask-note");
  if (bookless()) {
    note.replaceChildren(
      booklessNotice("Answers are made from it, so there is nothing to answer from."),
    );
  } else if (wordless()) {
    note.replaceChildren(
      el(
        "details.hint",
        {},
        el(
          "summary",
          {},
          "No language model here: answers are sentences of the passages, word for word.",
        ),
        el("p", {}, "To have answers written, start the server with a model:"),
        el("pre", { tabindex: 0 }, "cybersecqwen serve --model gguf:FILE --model-sha256 HEX"),
      ),
    );
  } else note.replaceChildren();
}

/** Ask what the address asks. */
export function restoreAsk() {
  const { section, parameters } = readAddress(location.hash);
  const question = parameters.get("q");
  if (section !== "ask" || !question || question === byId("ask-question").value) return;
  byId("ask-question").value = question;
  byId("ask-choices").value = parameters.getAll("choice").join("\n");
  beginConversation(parameters.getAll("before"));
  ask();
}

function stop() {
  running?.abort();
}

/** Return the choices, without the letters that people paste along: "A) ", "b. ". */
function choices() {
  const given = byId("ask-choices")
    .value.split("\n")
    .map((line) => line.trim())
    .filter(Boolean);
  const lettered = given.every((line, place) => {
    const letter = String.fromCharCode(65 + place);
    return new RegExp(`^\\(?${letter}[).:]\\s+\\S`, "i").test(line);
  });
  return lettered ? given.map((line) => line.replace(/^\(?\w[).:]\s+/, "")) : given;
}

async function ask() {
  const field = byId("ask-question");
  const question = field.value.trim();
  const given = choices();
  const problem = complaint(question, given);
  if (problem) {
    byId("ask-result").replaceChildren(notice("plain", problem));
    announce(problem);
    (question ? byId("ask-choices") : field).focus();
    return;
  }
  running?.abort();
  const mine = (running = new AbortController());
  const result = byId("ask-result");
  result.setAttribute("aria-busy", "true");
  byId("ask-side").replaceChildren();
  byId("ask-stop").hidden = false;
  announce("Looking it up.");
  const named = given.length ? given.map((text) => ["choice", text]) : before();
  setAddress("ask", new URLSearchParams([["q", question], ...named]));
  try {
    if (given.length) await choose(question, given, mine.signal);
    else await write(question, mine.signal);
  } catch (error) {
    if (running !== mine) return;
    const box = aborted(error)
      ? notice("plain", "Stopped.", "What was written so far is above.")
      : errorBox(error, "question", ask);
    if (result.querySelector(".written:not(:empty)")) result.append(box);
    else result.replaceChildren(box);
  } finally {
    if (running === mine) {
      running = null;
      result.setAttribute("aria-busy", "false");
      byId("ask-stop").hidden = true;
    }
  }
}

function complaint(question, given) {
  if (!question) return "There is no question yet. Type one first.";
  if (given.length === 1) return "One answer is no choice: give two or more, or none.";
  return given.length > 10 ? "Give ten answers to choose from at most." : "";
}

function before() {
  return earlierQuestions().map((text) => ["before", text]);
}

async function choose(question, given, signal) {
  byId("ask-result").replaceChildren(el("p.hint", {}, "Reading the passages\u2026"));
  const body = jsonBody({ question, choices: given }, "application/json", signal);
  showChoice(given, await (await request("api/ask", body)).json());
}

function showChoice(given, answer) {
  const citation = answer.passage?.id;
  const { best } = answer;
  byId("ask-result").replaceChildren(
    el(
      "div.answer",
      {},
      el("p.eyebrow", {}, "Supported best"),
      el("h3", {}, `${answer.letter}. `, foreign(given[best], 1000)),
      el(
        "ol.bars.lettered",
        {},
        given.map((text, place) =>
          el(
            "li",
            { class: place === best ? "best" : null },
            el("span", {}, `${String.fromCharCode(65 + place)}. `, foreign(text, 1000)),
            bar(answer.probabilities[place], `Answer ${String.fromCharCode(65 + place)}`),
            el("span.number", {}, percent(answer.probabilities[place])),
          ),
        ),
      ),
      citation
        ? el("p", {}, "It stands on ", cite(citation), ".")
        : el("p", {}, "No passage supports it: this is a guess."),
      origin(answer),
    ),
  );
  const passages = new Map(answer.passages.filter(Boolean).map((passage) => [passage.id, passage]));
  showPassages([...passages.values()]);
  announce(`Answer ${answer.letter}: ${given[best]}.`);
}

async function write(question, signal) {
  const written = el("div.written", {});
  byId("ask-result").replaceChildren(
    el("div.answer", {}, el("p.hint.wait", {}, "Reading the passages\u2026"), written),
  );
  const asked = { question, history: earlierTurns() };
  const response = await request("api/ask", jsonBody(asked, "text/event-stream", signal));
  let text = "";
  for await (const { event, data } of events(response)) {
    if (event === "delta") {
      text += data.text;
      byId("ask-result").querySelector(".wait")?.remove();
      written.textContent = visible(text);
    } else if (event === "answer") {
      showAnswer(question, data);
      byId("ask-result").append(conversationLine());
      addTurn(question, data.text);
      return;
    } else if (event === "error") {
      throw streamedError(data.error);
    }
  }
  throw new ApiError("cut", "The answer ended before it was whole.");
}

/** Return what this question followed, and a way to begin anew; a hint where it followed none. */
function conversationLine() {
  const earlier = earlierQuestions();
  if (!earlier.length)
    return el("p.hint", {}, "A follow-up such as \u201cand how do I detect it?\u201d is about this.");
  return el(
    "p.hint",
    {},
    "Follows ",
    earlier.flatMap((question, place) => [place ? ", " : "", "\u201c", foreign(question, 80), "\u201d"]),
    ". ",
    el("button.link", { type: "button", onclick: anew }, "Begin anew"),
  );
}

function anew() {
  beginConversation();
  byId("ask-question").value = "";
  byId("ask-side").replaceChildren();
  setAddress("ask", new URLSearchParams());
  showEmpty();
  byId("ask-question").focus();
}

function showAnswer(question, answer) {
  const { passages, unsupported } = answer;
  if (!answer.found) {
    byId("ask-result").replaceChildren(
      notice(
        "plain",
        "Not in the knowledge base",
        foreignParagraph(answer.text),
        nearest(answer),
      ),
    );
    showPassages(passages);
    announce("Not in the knowledge base.");
    return;
  }
  const known = new Set(passages.map(({ id }) => id));
  byId("ask-result").replaceChildren(
    el(
      "div.answer",
      {},
      answer.warning ? notice("plain", answer.warning) : null,
      corrections(answer),
      answer.direct?.length && wordless()
        ? structured(answer, passages)
        : el("div.written", {}, linked(answer.text, known, unsupported)),
      withoutSupport(answer.text, unsupported),
      prediction(question, answer.prediction),
      origin(answer),
    ),
  );
  showPassages(passages, wordless() && passages.length > 1);
  announce(`The answer is complete, with ${passageCount(passages)}.`);
}

/** Return the pages nearest to a question that none answers. */
function nearest({ nearest: pages = [] }) {
  if (!pages.length)
    return el("p", {}, "Name the technique, group or weakness, or use other words.");
  return el(
    "ul.plain",
    {},
    pages.map(({ id, name }) =>
      el(
        "li",
        {},
        el(
          "button.link",
          { type: "button", onclick: () => askThis(`What is ${id}?`) },
          el("code", {}, foreign(id, 40)),
          " ",
          foreign(name, 200),
        ),
      ),
    ),
  );
}

/** Say what was read otherwise than it was typed. */
function corrections({ corrections: read = [] }) {
  return read.length ? el("p.hint", {}, foreign(read.join("; "), 400)) : null;
}

/** Return an answer's lines: what it says, then the details under headings. */
function structured({ direct, sections }, passages) {
  const numbers = new Map(passages.map(({ id }, place) => [id, place + 1]));
  return el(
    "div.structured",
    {},
    direct.map((line) => el("p", {}, said(line, numbers))),
    sections.map(({ heading, lines, citations, total }) =>
      el(
        "section",
        {},
        el("h4", {}, foreign(heading, 120), total > lines.length ? ` (${lines.length} of ${total})` : "", marks(citations, numbers)),
        el("ul.points", {}, lines.map((line) => el("li", {}, said(line, numbers)))),
      ),
    ),
  );
}

/** Return a line: quotations as such, and small numbers that open its passages. */
function said({ text, citations, quoted, lead }, numbers) {
  return [
    lead ? el("span.soft", {}, foreign(lead, 400), " ") : null,
    quoted ? el("q", {}, foreign(text, 4000)) : foreign(text, 4000),
    ...marks(citations, numbers),
  ];
}

function marks(citations, numbers) {
  return citations.flatMap((id) => [
    " ",
    el(
      "button.mark",
      {
        type: "button",
        "aria-label": `Passage ${id}`,
        title: visible(id),
        disabled: !numbers.has(id),
        onclick: (event) => openPassage(id, event.currentTarget),
      },
      String(numbers.get(id) ?? "?"),
    ),
  ]);
}

const foreignParagraph = (text) => el("p", {}, foreign(text, 4000));

function origin({ model }) {
  if (wordless())
    return el("p.hint", {}, "Taken from the passages as they stand, without a language model.");
  return el("p.hint", {}, "Answered by ", foreign(model, 200), " from the passages.");
}

function prediction(question, predicted) {
  if (!predicted) return null;
  return el(
    "p.row",
    {},
    el(
      "span",
      {},
      "As a vulnerability: ",
      el("code", {}, foreign(predicted.cwe, 20)),
      ` (${percent(predicted.confidence)}${predicted.abstained ? ", not sure" : ""})`,
    ),
    el("button", { type: "button", onclick: () => mapIt(question) }, "Open in Map"),
  );
}

/** Say what marks mean, and what a model wrote that the answer leaves out for want of support. */
function withoutSupport(text, unsupported) {
  if (!unsupported.length) return null;
  const left = unsupported.filter((sentence) => !text.includes(sentence));
  return el(
    "div.hint",
    {},
    left.length < unsupported.length
      ? el("p", {}, "Marked sentences are not backed by a passage. Do not rely on them.")
      : null,
    left.length
      ? el(
          "details",
          {},
          el("summary", {}, "What the model wrote, without support in the passages"),
          left.map((sentence) => el("p", {}, foreign(sentence))),
        )
      : null,
  );
}

const UNSUPPORTED = " [unsupported]"; // how the text itself marks a sentence

/**
 * Return an answer's text as nodes: citations in square brackets as buttons, where the passage is
 * at hand, and sentences without support marked.
 */
function linked(text, known, unsupported) {
  const marks = unsupported
    .map((sentence) => [text.indexOf(sentence), sentence.length])
    .filter(([start]) => start >= 0)
    .map(([start, length]) => [start, start + length])
    .sort(([a], [b]) => a - b);
  const nodes = [];
  let at = 0;
  for (const [start, end] of marks) {
    if (start < at) continue;
    const tag = el("span.tag.warn", {}, "unsupported");
    nodes.push(...cited(text.slice(at, start), known));
    nodes.push(el("mark", {}, cited(text.slice(start, end), known)), " ", tag);
    at = text.startsWith(UNSUPPORTED, end) ? end + UNSUPPORTED.length : end;
  }
  nodes.push(...cited(text.slice(at), known));
  return nodes;
}

function cited(text, known) {
  const nodes = [];
  let at = 0;
  for (const match of text.matchAll(/\[([^[\]\n]{2,200})\]/g)) {
    const ids = match[1].split(/[,;]\s*/);
    if (!ids.every((id) => known.has(id))) continue;
    nodes.push(foreign(text.slice(at, match.index), 1e6), ...ids.map(cite));
    at = match.index + match[0].length;
  }
  nodes.push(foreign(text.slice(at), 1e6));
  return nodes;
}

function cite(id) {
  return el(
    "button.citation",
    {
      type: "button",
      "aria-label": `Passage ${id}`,
      onclick: (event) => openPassage(id, event.currentTarget),
    },
    visible(id),
  );
}

/** Show passages, folded where the answer quotes them. */
function showPassages(passages, folded = false) {
  byId("ask-side").replaceChildren(
    ...(passages.length
      ? [
          el("h3", {}, "Passages"),
          ...passages.map((passage, place) => passageView(passage, place + 1, folded)),
        ]
      : []),
  );
}

/** Bring a passage into view and give it the focus, with a way back. */
function openPassage(id, from) {
  const side = byId("ask-side");
  const passage = [...side.querySelectorAll(".passage")].find(
    (node) => node.dataset.citation === id,
  );
  if (!passage) return;
  for (const node of side.querySelectorAll("[aria-current]")) node.removeAttribute("aria-current");
  for (const node of side.querySelectorAll(".back")) node.remove();
  passage.setAttribute("aria-current", "true");
  const details = passage.querySelector("details");
  if (details) details.open = true;
  passage.append(
    el(
      "p.back",
      {},
      el("button", { type: "button", onclick: () => from.focus() }, "Back to the answer"),
    ),
  );
  passage.focus({ preventScroll: true });
  passage.scrollIntoView({ block: "nearest" });
}

function showEmpty() {
  byId("ask-result").replaceChildren(
    el(
      "div.empty",
      {},
      el("p", {}, "For example:"),
      el(
        "ul.plain",
        {},
        EXAMPLES.map((question) =>
          el(
            "li",
            {},
            el("button.link", { type: "button", onclick: () => askThis(question) }, question),
          ),
        ),
      ),
    ),
  );
}

function askThis(question) {
  byId("ask-question").value = question;
  byId("ask-choices").value = "";
  ask();
}
