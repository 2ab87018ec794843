// A field that finds a CWE by id or by words, after the ARIA combobox pattern.

import { postJson } from "./api.js";
import { el, foreign } from "../view/dom.js";
import { pageOf } from "./passages.js";
import { bookless, getCwe } from "./server.js";

const DELAY_MS = 150;
const MOST = 12;
const HINT = "Type an id or words of its name; arrow keys choose.";
let serial = 0;

export class CwePicker {
  /** The field, with its label and list. */
  node;
  /** The chosen {id, name}, or null. */
  /** @type {{id: string, name: string}|null} */
  value = null;
  #near;
  #onChoice;
  #name = `picker-${(serial += 1)}`;
  #options = [];
  #active = -1;
  #timer = 0;
  #turn = 0;
  #list;
  #input;
  #hint;

  /**
   * @param {{id: string, name: string}[]} near Offered before anything is typed.
   * @param {(choice: {id: string, name: string}|null) => void} onChoice
   */
  constructor(near, onChoice) {
    this.#near = near;
    this.#onChoice = onChoice;
    const list = `${this.#name}-list`;
    const hint = `${this.#name}-hint`;
    this.#list = el("ul.options", {
      id: list,
      role: "listbox",
      "aria-label": "Weaknesses",
      hidden: true,
    });
    this.#hint = el("span.hint", { id: hint, role: "status" }, HINT);
    this.#input = el("input", {
      id: this.#name,
      type: "text",
      role: "combobox",
      autocomplete: "off",
      spellcheck: "false",
      "aria-autocomplete": "list",
      "aria-expanded": "false",
      "aria-controls": list,
      "aria-describedby": hint,
      oninput: () => this.#typed(),
      onfocus: () => this.value ?? this.#find(),
      onblur: () => this.#close(),
      onkeydown: (event) => this.#key(event),
    });
    const label = el("label", { for: this.#name }, "The right weakness");
    this.node = el("div.picker", {}, label, this.#input, this.#list, this.#hint);
  }

  #typed() {
    this.#choose(null);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#find(), DELAY_MS);
  }

  #key(event) {
    const open = !this.#list.hidden;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      const { length } = this.#options;
      if (open) this.#move((this.#active + step + length) % length);
      else this.#find();
    } else if (event.key === "Enter" && open && this.#active >= 0) {
      event.preventDefault();
      this.#take(this.#options[this.#active]);
    } else if (event.key === "Escape" && open) {
      event.stopPropagation(); // it closes the list, not the form
      this.#close();
    }
  }

  async #find() {
    const turn = (this.#turn += 1);
    const query = this.#input.value.trim();
    const found = query ? await matches(query, this.#near) : this.#near;
    if (turn !== this.#turn || this.value) return;
    this.#options = found.slice(0, MOST);
    this.#list.replaceChildren(...this.#options.map((option, place) => this.#item(option, place)));
    this.#hint.textContent = query && !this.#options.length ? noMatch() : HINT;
    this.#list.hidden = !this.#options.length;
    this.#input.setAttribute("aria-expanded", String(!this.#list.hidden));
    this.#move(query && this.#options.length ? 0 : -1);
  }

  #item(option, place) {
    const take = (event) => {
      event.preventDefault(); // the field keeps the focus
      this.#take(option);
    };
    return el(
      "li",
      { id: `${this.#name}-${place}`, role: "option", "aria-selected": "false", onmousedown: take },
      el("code", {}, option.id),
      " ",
      foreign(option.name, 300),
    );
  }

  #move(place) {
    this.#active = place;
    const items = [...this.#list.children];
    items.forEach((item, n) => item.setAttribute("aria-selected", String(n === place)));
    if (place >= 0) {
      this.#input.setAttribute("aria-activedescendant", items[place].id);
      items[place].scrollIntoView({ block: "nearest" });
    } else this.#input.removeAttribute("aria-activedescendant");
  }

  #close() {
    this.#turn += 1;
    this.#list.hidden = true;
    this.#input.setAttribute("aria-expanded", "false");
    this.#move(-1);
  }

  #take(option) {
    this.#input.value = `${option.id} ${option.name}`;
    this.#close();
    this.#choose(option);
  }

  #choose(option) {
    if (option === this.value) return;
    this.value = option;
    this.#onChoice(option);
  }
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
    return [
      ...found.values(),
      ...near.filter(({ id }) => id.includes(number[1]) && !found.has(id)),
    ];
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
