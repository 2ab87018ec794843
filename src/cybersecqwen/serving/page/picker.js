// A field that finds a CWE by id or by words, after the ARIA combobox pattern.

import { postJson } from "./api.js";
import { el, foreign } from "./dom.js";
import { pageOf } from "./passages.js";
import { bookless, getCwe } from "./server.js";

const DELAY_MS = 150;
const MOST = 12;
let serial = 0;

/**
 * Return {node, value}: the field, and a function that gives the chosen id, or null.
 * @param {{id: string, name: string}[]} near Offered before anything is typed.
 * @param {(choice: {id: string, name: string}|null) => void} onChoice
 */
export function cwePicker(near, onChoice) {
  const name = `picker-${(serial += 1)}`;
  let options = [];
  let active = -1;
  let chosen = null;
  let timer = null;
  let turn = 0;

  const list = el("ul.options", { id: `${name}-list`, role: "listbox", "aria-label": "Weaknesses", hidden: true });
  const input = el("input", {
    id: name,
    type: "text",
    role: "combobox",
    autocomplete: "off",
    spellcheck: "false",
    "aria-autocomplete": "list",
    "aria-expanded": "false",
    "aria-controls": `${name}-list`,
    "aria-describedby": `${name}-hint`,
    oninput: () => {
      choose(null);
      clearTimeout(timer);
      timer = setTimeout(find, DELAY_MS);
    },
    onfocus: () => {
      if (!chosen) find();
    },
    onblur: () => setTimeout(close, 120), // after a click on an option
    onkeydown: onKey,
  });

  function onKey(event) {
    const open = !list.hidden;
    const steps = { ArrowDown: 1, ArrowUp: -1 };
    if (event.key in steps) {
      event.preventDefault();
      if (!open) find();
      else move((active + steps[event.key] + options.length) % options.length);
    } else if (event.key === "Enter" && open && active >= 0) {
      event.preventDefault();
      take(options[active]);
    } else if (event.key === "Escape" && open) {
      event.preventDefault();
      event.stopPropagation();
      close();
    }
  }

  async function find() {
    const mine = (turn += 1);
    const query = input.value.trim();
    const found = query ? await matches(query, near) : near;
    if (mine !== turn || document.activeElement !== input || chosen) return;
    options = found.slice(0, MOST);
    list.replaceChildren(
      ...options.map((option, place) =>
        el(
          "li",
          {
            id: `${name}-${place}`,
            role: "option",
            "aria-selected": "false",
            onmousedown: (event) => {
              event.preventDefault();
              take(option);
            },
          },
          el("code", {}, option.id),
          " ",
          foreign(option.name, 300),
        ),
      ),
    );
    const nothing = query && !options.length;
    hint.textContent = nothing ? noMatch() : HINT;
    list.hidden = !options.length;
    input.setAttribute("aria-expanded", String(!list.hidden));
    move(query && options.length ? 0 : -1);
  }

  function move(place) {
    active = place;
    [...list.children].forEach((node, n) => node.setAttribute("aria-selected", String(n === place)));
    if (place >= 0) {
      input.setAttribute("aria-activedescendant", `${name}-${place}`);
      list.children[place].scrollIntoView({ block: "nearest" });
    } else input.removeAttribute("aria-activedescendant");
  }

  function close() {
    turn += 1;
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
    active = -1;
  }

  function take(option) {
    input.value = `${option.id} ${option.name}`;
    close();
    choose(option);
  }

  function choose(option) {
    if (option === chosen) return;
    chosen = option;
    onChoice(option);
  }

  const HINT = "Type an id or words of its name; arrow keys choose.";
  const hint = el("span.hint", { id: `${name}-hint`, role: "status" }, HINT);
  const node = el("div.picker", {}, el("label", { for: name }, "The right weakness"), input, list, hint);
  return { node, value: () => chosen };
}

function noMatch() {
  return bookless()
    ? "Nothing found. Without a knowledge base only ids can be looked up, such as CWE-79."
    : "Nothing found. Try its id, such as CWE-79, or other words.";
}

/** Return what an id or words find: the exact id first, then what is near, then the search. */
async function matches(query, near) {
  const found = new Map();
  const add = ({ id, name }) => found.has(id) || found.set(id, { id, name });
  const number = /^(?:cwe)?[-_ :]?(\d{1,5})$/i.exec(query);
  if (number) {
    await getCwe(`CWE-${Number(number[1])}`).then(add, () => {});
    return [...found.values(), ...near.filter(({ id }) => id.includes(number[1]) && !found.has(id))];
  }
  const words = query.toLowerCase().split(/\s+/);
  const named = ({ name }) => words.every((word) => name.toLowerCase().includes(word));
  near.filter(named).forEach(add);
  if (!bookless()) {
    const answer = await postJson("api/search", { query, limit: 50 }).catch(() => null);
    const pages = (answer?.passages ?? [])
      .filter(({ id }) => /^CWE-\d/.test(id))
      .map(({ id, title }) => ({ id: pageOf(id), name: title }));
    pages.filter(named).forEach(add);
    pages.forEach(add);
  }
  return [...found.values()];
}
