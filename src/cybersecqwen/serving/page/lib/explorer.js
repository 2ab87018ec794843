// A weakness beside the answer: its place in the CWE tree, and the passages that explain it.

import { cweLink } from "../view/links.js";
import { away, el, foreign, percent, plural } from "../view/dom.js";
import { errorBox } from "./errors.js";
import { booklessNotice, foldedByKind } from "./passages.js";
import { bookless, getCwe } from "./server.js";

const USAGE = {
  "allowed-with-review": "MITRE allows mapping to it after a review.",
  discouraged: "MITRE discourages mapping to it: look for a more specific one below it.",
  prohibited: "MITRE prohibits mapping to it.",
};

export class Explorer {
  #root;
  #turn = 0;
  /** @type {any} */
  #answer = null;

  /** @param {HTMLElement} root Where to show it. */
  constructor(root) {
    this.#root = root;
  }

  clear() {
    this.#turn += 1;
    this.#root.replaceChildren();
  }

  /**
   * Show the weakness of an answer.
   * @param {{text: string, candidates: {cwe: string, probability: number}[]}} answer
   * @param {string} cwe
   */
  async show(answer, cwe) {
    this.#answer = answer;
    await this.#open(cwe, false);
  }

  async #open(cwe, focus) {
    const turn = (this.#turn += 1);
    this.#root.setAttribute("aria-busy", "true");
    let content;
    try {
      const page = await getCwe(cwe);
      const parent = page.path.at(-2);
      const family = parent ? await getCwe(parent.id) : null;
      content = this.#view(page, family);
    } catch (error) {
      content = [errorBox(error, "id", () => this.#open(cwe, focus))];
    }
    if (turn !== this.#turn) return;
    this.#root.setAttribute("aria-busy", "false");
    this.#root.replaceChildren(...content);
    if (focus) this.#root.querySelector("h3")?.focus();
  }

  /** @returns {Node[]} */
  #view(page, family) {
    const best = this.#answer.candidates[0].cwe;
    const back =
      page.id === best
        ? null
        : el(
            "button",
            { type: "button", onclick: () => this.#open(best, true) },
            `Back to ${best}`,
          );
    return [
      el("h3", { tabindex: -1 }, `${page.id} `, foreign(page.name, 300)),
      el(
        "p.hint",
        {},
        `A ${page.kind} in CWE's terms. `,
        page.deprecated ? "Deprecated. " : "",
        USAGE[page.usage] ?? "",
        " ",
        away("At MITRE", cweLink(page.id)),
      ),
      back,
      el("h4", {}, "Where it sits"),
      this.#tree(page, family),
      el("h4", {}, "What it is"),
      bookless()
        ? booklessNotice("Passages that explain a weakness come from it.")
        : page.passages.length
          ? el("div.passages", {}, foldedByKind(page.passages))
          : el("p.hint", {}, "The knowledge base has no page of it."),
      this.#attacks(page.attack_patterns),
    ].filter((node) => node !== null);
  }

  #tree(page, family) {
    const siblings = (family?.children ?? []).filter(({ id }) => id !== page.id);
    const others = page.parents.filter(({ id }) => id !== page.path.at(-2)?.id);
    const below = this.#relatives("more specific", page.children);
    let branch = [
      el(
        "li.here",
        { "aria-current": "true" },
        this.#entry(page, true),
        below.length ? el("ul", {}, below) : null,
      ),
      ...this.#relatives("beside it", siblings),
    ];
    for (const above of page.path.slice(0, -1).reverse()) {
      branch = [el("li", {}, this.#entry(above), el("ul", {}, branch))];
    }
    const tree = el("ul.tree", {}, branch);
    if (!others.length) return tree;
    return el("div", {}, tree, el("p.hint", {}, "Also a kind of:"), this.#list(others));
  }

  /** Return items for relatives: those among the candidates, and the others folded. */
  #relatives(where, entries) {
    const likely = entries.filter(({ id }) => this.#probability(id) !== undefined);
    const others = entries.filter((entry) => !likely.includes(entry));
    const items = likely.map((entry) => el("li", {}, this.#entry(entry)));
    if (others.length) {
      const label = `${others.length} ${likely.length ? "others " : ""}${where}`;
      items.push(
        el(
          "li",
          {},
          el("details", { open: others.length <= 2 }, el("summary", {}, label), this.#list(others)),
        ),
      );
    }
    return items;
  }

  #list(entries) {
    return el(
      "ul",
      {},
      entries.map((entry) => el("li", {}, this.#entry(entry))),
    );
  }

  #entry({ id, name }, here = false) {
    const probability = this.#probability(id);
    const tag = probability === undefined ? null : el("span.tag", {}, percent(probability));
    const label = [el("code", {}, id), " ", foreign(name, 300), tag && " ", tag];
    if (here) return el("span.node", {}, ...label);
    return el(
      "button.link.node",
      { type: "button", onclick: () => this.#open(id, true) },
      ...label,
    );
  }

  #probability(id) {
    return this.#answer.candidates.find(({ cwe }) => cwe === id)?.probability;
  }

  /** Return how a weakness is attacked, by the catalogues' own relations. */
  #attacks(patterns) {
    if (!patterns?.length) return null;
    const techniques = patterns.reduce((sum, pattern) => sum + pattern.techniques.length, 0);
    return el(
      "div.attacks",
      {},
      el("h4", {}, "How it is attacked"),
      el(
        "p.hint",
        {},
        `${plural(patterns.length, "attack pattern")} of CAPEC and ${plural(techniques, "technique")} of ATT&CK, linked by the catalogues themselves.`,
      ),
      el(
        "ul.tree",
        {},
        patterns.map(({ id, name, techniques: linked }) =>
          el(
            "li",
            {},
            asked(id, name),
            linked.length
              ? el("ul", {}, linked.map((technique) => el("li", {}, asked(technique.id, technique.name))))
              : null,
          ),
        ),
      ),
    );
  }
}

/** Return a link that asks what something is. */
function asked(id, name) {
  const question = new URLSearchParams({ q: `What is ${id}?` });
  return el("a.node", { href: `#ask?${question}` }, el("code", {}, id), " ", foreign(name, 200));
}
