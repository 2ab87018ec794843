// Severity and techniques of a text, when a person asks for them.

import { aborted } from "./api.js";
import { errorBox } from "./errors.js";
import { rowOf } from "./records.js";
import { el, foreign, percent } from "../view/dom.js";
import { techniqueBars } from "../view/row_table.js";

/**
 * Return a part that asks the server on demand, or null where there is no text to ask about.
 * @param {string} given A text, an id, or a record in JSON.
 * @param {string} labeller Whose practice to follow.
 * @returns {HTMLElement|null}
 */
export function assessment(given, labeller) {
  if (!given.trim()) return null;
  const place = el("div", {});
  const ask = async () => {
    place.replaceChildren(el("p.hint", {}, "Assessing it\u2026"));
    try {
      place.replaceChildren(...parts(await rowOf("api/assess", given, { labeller })));
    } catch (error) {
      if (!aborted(error)) place.replaceChildren(errorBox(error, "text", ask));
    }
  };
  const details = el(
    "details.kind",
    {
      ontoggle: () => {
        if (details.open && !place.firstChild) ask();
      },
    },
    el("summary", {}, "Severity and techniques"),
    place,
  );
  return details;
}

/** Return what an assessment says besides the weakness. */
function parts({ cvss, cvss4, techniques, mitigations }) {
  return [
    el(
      "p",
      {},
      el(`span.severity.s-${cvss.severity.toLowerCase()}`, {}, `${cvss.severity} ${cvss.score}`),
      " ",
      el("code", {}, cvss.vector),
      el("span.hint", {}, ` predicted, the whole vector right with ${percent(cvss.probability)}`),
    ),
    cvss4
      ? el(
          "p",
          {},
          el(`span.severity.s-${cvss4.severity.toLowerCase()}`, {}, `${cvss4.severity} ${cvss4.score}`),
          " ",
          el("code", {}, cvss4.vector),
        )
      : "",
    el(
      "table",
      {},
      el(
        "thead",
        {},
        el("tr", {}, ["Metric", "Value", "Probability", "Because of"].map((name) => el("th", { scope: "col" }, name))),
      ),
      el(
        "tbody",
        {},
        Object.entries(cvss.metrics).map(([name, { value, probability, because }]) =>
          el(
            "tr",
            {},
            el("th", { scope: "row" }, name),
            el("td", {}, value),
            el("td.number", {}, percent(probability)),
            el("td", {}, foreign(because.join(", "), 120)),
          ),
        ),
      ),
    ),
    el("h4", {}, "ATT&CK techniques"),
    techniques.length
      ? techniqueBars(techniques)
      : el("p", {}, "None is likely."),
    mitigations.length ? el("h4", {}, "Mitigations") : "",
    mitigations.length
      ? el(
          "ul",
          {},
          mitigations.map(({ text, citation }) =>
            el("li", {}, foreign(text, 600), " ", el("code", {}, citation)),
          ),
        )
      : "",
  ];
}
