// Correct or confirm an answer, under the answer itself.

import { announce, el, notice } from "../view/dom.js";
import { CwePicker } from "./picker.js";
import { getCwe, LABELLER } from "./server.js";
import { idOf, keep, StorageError } from "./store.js";

/**
 * Return the buttons and the form.
 * @param {{text: string, id: string, labeller: string, answer: Object}} subject
 */
export function correctionForm(subject) {
  const place = el("div", {});
  const open = el(
    "button",
    {
      type: "button",
      "aria-expanded": "false",
      onclick: async () => {
        open.setAttribute("aria-expanded", "true");
        place.replaceChildren(await form(subject, place, open));
        /** @type {HTMLElement|null} */ (place.querySelector("[role=combobox]"))?.focus();
      },
    },
    "Correct it\u2026",
  );
  const right = el(
    "button",
    {
      type: "button",
      onclick: () => save(subject, subject.answer, idOf(subject.text, subject.id), place),
    },
    "It is right",
  );
  return el("div.correct", {}, el("h4", {}, "Is it right?"), el("div.row", {}, right, open), place);
}

async function form(subject, place, open) {
  const { text, id, labeller, answer } = subject;
  const note = el("p.hint", { role: "status" });
  const submit = el("button.primary", { type: "submit", disabled: true }, "Keep the correction");
  const picker = new CwePicker(await near(answer), async (choice) => {
    submit.disabled = true;
    note.textContent = "";
    if (!choice) return;
    const reason = await unfit(choice.id);
    if (picker.value !== choice) return;
    note.textContent = reason;
    submit.disabled = reason !== "";
  });
  const name = el("input", {
    type: "text",
    autocomplete: "off",
    placeholder: "CVE-2024-12345",
    maxlength: 100,
    value: id || null,
  });
  const close = () => {
    place.replaceChildren();
    open.setAttribute("aria-expanded", "false");
    open.focus();
  };
  return el(
    "form.panel",
    {
      onsubmit: (event) => {
        event.preventDefault();
        const choice = picker.value;
        if (choice)
          save(subject, { cwe: choice.id, name: choice.name }, idOf(text, name.value), place);
      },
      onkeydown: (event) => {
        if (event.key === "Escape") close();
      },
    },
    picker.node,
    el("label", {}, "CVE id, if it has one", name),
    el(
      "p.hint",
      {},
      `Kept as what ${LABELLER[labeller] ?? labeller} would say, in this browser alone.`,
    ),
    note,
    el("div.row", {}, submit, el("button", { type: "button", onclick: close }, "Cancel")),
  );
}

/** Return what is likely to be the right one: candidates, then the neighbours in the tree. */
async function near(answer) {
  const found = new Map(
    answer.candidates.slice(1).map(({ cwe, name }) => [cwe, { id: cwe, name }]),
  );
  try {
    const page = await getCwe(answer.cwe);
    for (const entry of [...page.children, ...page.path.toReversed().slice(1)]) {
      if (!found.has(entry.id)) found.set(entry.id, entry);
    }
  } catch {
    // The candidates do.
  }
  return [...found.values()];
}

/** Return why an id cannot be taught, or an empty string. */
async function unfit(id) {
  try {
    const { usage, deprecated, kind } = await getCwe(id);
    if (deprecated) return `${id} is deprecated; training leaves it out. Choose another.`;
    if (usage === "prohibited") {
      return `MITRE prohibits mapping to ${id} (a ${kind}); training leaves it out. Choose another.`;
    }
    return "";
  } catch (error) {
    return `${id} could not be checked: ${error.message}`;
  }
}

function save({ text, labeller, answer }, { cwe, name }, id, place) {
  try {
    keep({ id, text, labeller, cwe, name, answer });
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    place.replaceChildren(notice("bad", "It could not be kept", error.message));
    return;
  }
  const what = cwe === answer.cwe ? `Confirmed ${cwe}.` : `Kept ${cwe} instead of ${answer.cwe}.`;
  place.replaceChildren(
    notice("good", what, el("p", {}, el("a", { href: "#corrections" }, "See all corrections"))),
  );
  announce(what);
}
