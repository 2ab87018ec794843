// The list of corrections, and their export.

import { byId, count, download, el, foreign, notice, percent, plural } from "../view/dom.js";
import { LABELLER } from "../lib/server.js";
import { forget, kept, onChange, trainingRows } from "../lib/store.js";

const MOST_SHOWN = 200;

export function startCorrections() {
  onChange(show);
  show();
}

function show() {
  const all = kept();
  const badge = byId("correction-count");
  badge.textContent = count(all.length);
  badge.hidden = !all.length;
  const place = byId("corrections-list");
  if (!all.length) {
    place.replaceChildren(
      el(
        "div.empty",
        {},
        el("p", {}, "None yet. Map a description, then say whether the answer is right."),
        el("p", {}, el("a", { href: "#map" }, "Go to Map")),
      ),
    );
    return;
  }
  const rows = all.flatMap((entry) =>
    Object.entries(entry.labels).map(([who, label]) => rowOf(entry, who, label)),
  );
  place.replaceChildren(
    el(
      "div.row",
      {},
      el(
        "button.primary",
        { type: "button", onclick: () => exportAll(all) },
        `Export ${plural(all.length, "training row")}`,
      ),
      el("button", { type: "button", onclick: () => clearAll(all) }, "Clear all\u2026"),
    ),
    el(
      "div.wide",
      { tabindex: 0, role: "region", "aria-label": "Corrections" },
      el(
        "table",
        {},
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            ["Id", "Description", "Convention", "The model said", "You said", ""].map((h) =>
              el("th", { scope: "col" }, h || el("span.unseen", {}, "Delete")),
            ),
          ),
        ),
        el("tbody", {}, rows.slice(0, MOST_SHOWN)),
      ),
    ),
    ...(rows.length > MOST_SHOWN
      ? [el("p.hint", {}, `The newest ${MOST_SHOWN} are shown; the export holds all.`)]
      : []),
  );
}

function rowOf({ id, text }, who, label) {
  const same = label.cwe === label.predicted;
  return el(
    "tr",
    {},
    el("th", { scope: "row" }, foreign(id, 100)),
    el("td.description", {}, foreign(text, 160)),
    el("td", {}, LABELLER[who] ?? foreign(who, 20)),
    el("td", {}, foreign(label.predicted, 20), " ", percent(label.confidence)),
    el("td", {}, el("strong", {}, foreign(label.cwe, 20)), same ? " (confirmed)" : ""),
    el(
      "td",
      {},
      el(
        "button",
        {
          type: "button",
          "aria-label": `Delete the correction of ${id}`,
          onclick: () => forget(id),
        },
        "Delete",
      ),
    ),
  );
}

function exportAll(all) {
  const day = new Date().toISOString().slice(0, 10);
  download(
    new Blob([trainingRows(all)], { type: "application/x-ndjson" }),
    `corrections-${day}.jsonl`,
  );
  byId("corrections-note").replaceChildren(
    notice(
      "good",
      `Exported ${plural(all.length, "row")}.`,
      "They stay here until you clear them.",
    ),
  );
}

function clearAll(all) {
  if (!confirm(`Delete ${plural(all.length, "correction")}? What was not exported is lost.`))
    return;
  for (const { id } of all) forget(id);
  byId("corrections-note").replaceChildren();
  byId("corrections-title").focus();
}
