// @ts-check
// Charts as SVG, drawn with attributes alone: the page allows no inline style.

import { count, el } from "./dom.js";
import { squarify } from "./treemap.js";

const SVG = "http://www.w3.org/2000/svg";
const CHARACTER = 7.2; // px, about, of the charts' text
const LEAST_AREA = 220; // px² of a box; smaller ones are drawn as one
const HEADER = 20;
const FAMILIES = 10;

/**
 * Return a new SVG element.
 * @param {string} name
 * @param {Record<string, string|number|null|((event: Event) => void)>} attributes
 * @param {...(Node|string|null)} children
 */
export function svg(name, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null) continue;
    if (typeof value === "function") node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, String(value));
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

/**
 * @param {string} text
 * @param {number} width px
 */
function fitted(text, width) {
  const room = Math.floor(width / CHARACTER);
  if (text.length <= room) return text;
  return room > 3 ? `${text.slice(0, room - 1)}\u2026` : "";
}

/** The ten pillars in a reader's words; MITRE's own stand in each one's title. */
const PILLARS = {
  "CWE-284": "Access control",
  "CWE-435": "Interaction of parts",
  "CWE-664": "Resources and memory",
  "CWE-682": "Calculation",
  "CWE-691": "Control flow",
  "CWE-693": "Protection mechanisms",
  "CWE-697": "Comparison",
  "CWE-703": "Exceptional conditions",
  "CWE-707": "Input and output",
  "CWE-710": "Coding practice",
};

/**
 * Return the short name of a weakness: its alias in quotes, or MITRE's name.
 * @param {string} name
 */
export const shortName = (name) => /\('([^']+)'\)/.exec(name)?.[1] ?? name;

/**
 * Return a treemap of weaknesses, those of a pillar together.
 * @param {Map<string, number>} counts
 * @param {import("./tree.js").CweTree} tree
 * @param {{width: number, height: number, chosen: string, choose: (cwe: string) => void}} options
 */
export function treemap(counts, tree, { width, height, chosen, choose }) {
  /** @type {Map<string, {key: string, number: number}[]>} */
  const pillars = new Map();
  for (const [cwe, number] of counts) {
    const pillar = tree.pillar(cwe);
    if (!pillars.has(pillar)) pillars.set(pillar, []);
    pillars.get(pillar)?.push({ key: cwe, number });
  }
  const groups = [...pillars].map(([key, leaves]) => ({
    key,
    number: leaves.reduce((sum, leaf) => sum + leaf.number, 0),
    leaves: leaves.sort((a, b) => b.number - a.number || (a.key < b.key ? -1 : 1)),
  }));
  groups.sort((a, b) => b.number - a.number || (a.key < b.key ? -1 : 1));
  const shapes = squarify(groups, { x: 0, y: 0, width, height }).flatMap((group) => [
    pillarHead(group, tree, chosen, choose),
    ...squarify(visibleLeaves(group), inside(group)).map((leaf) =>
      leafShape(leaf, familyOf(group.key), tree, chosen, choose),
    ),
  ]);
  const first = groups[0];
  return svg(
    "svg",
    {
      class: "treemap",
      viewBox: `0 0 ${width} ${height}`,
      role: "img",
      "aria-label": first
        ? `Treemap of ${count(counts.size)} weaknesses; the largest family is ${tree.name(first.key) || first.key}. The list of bars says the same.`
        : "Nothing to show",
    },
    ...shapes,
  );
}

/**
 * Return a number that keeps a pillar's colour the same in every result.
 * @param {string} pillar
 */
export function familyOf(pillar) {
  const place = Object.keys(PILLARS).indexOf(pillar);
  return place < 0 ? FAMILIES : place;
}

/**
 * Return a pillar's weaknesses, those too small to be seen as one of them.
 * @param {any} group
 */
function visibleLeaves(group) {
  const { width, height } = inside(group);
  const least = (LEAST_AREA * group.number) / Math.max(width * height, 1);
  const large = group.leaves.filter((/** @type {any} */ leaf) => leaf.number >= least);
  const rest = group.leaves.slice(large.length);
  if (rest.length < 2) return group.leaves;
  const number = rest.reduce((/** @type {number} */ sum, /** @type {any} */ leaf) => sum + leaf.number, 0);
  const all = [...large, { key: group.key, number, rest: rest.length }];
  return all.sort((a, b) => b.number - a.number);
}

/** @param {{x: number, y: number, width: number, height: number}} box */
function inside({ x, y, width, height }) {
  const head = height > 2.5 * HEADER && width > 60 ? HEADER : 0;
  return { x: x + 1, y: y + head, width: Math.max(width - 2, 0), height: Math.max(height - head - 1, 0) };
}

/**
 * @param {any} group
 * @param {import("./tree.js").CweTree} tree
 * @param {string} chosen
 * @param {(cwe: string) => void} choose
 */
function pillarHead(group, tree, chosen, choose) {
  const box = inside(group);
  if (box.y === group.y) return null;
  const label = fitted(
    `${PILLARS[/** @type {keyof typeof PILLARS} */ (group.key)] ?? (tree.name(group.key) || group.key)} ${count(group.number)}`,
    group.width - 6,
  );
  return svg(
    "g",
    { class: chosen === group.key ? "head chosen" : "head", onclick: () => choose(group.key) },
    svg("title", {}, `${group.key} ${tree.name(group.key)}: ${count(group.number)}`),
    svg("rect", { x: group.x, y: group.y, width: group.width, height: HEADER, class: "under" }),
    svg("text", { x: group.x + 4, y: group.y + 14 }, label),
  );
}

/**
 * @param {any} leaf
 * @param {number} family
 * @param {import("./tree.js").CweTree} tree
 * @param {string} chosen
 * @param {(cwe: string) => void} choose
 */
function leafShape(leaf, family, tree, chosen, choose) {
  const { key, number, rest, x, y, width, height } = leaf;
  const marked = chosen && tree.within(key, chosen) ? " chosen" : "";
  const room = height > 18 && width > 58;
  const name = rest ? `${count(rest)} others` : shortName(tree.name(key));
  const lines = rest ? [name, count(number)] : [key, name, count(number)];
  return svg(
    "g",
    { class: `leaf f${family}${marked}`, onclick: () => choose(key) },
    svg("title", {}, `${rest ? `${name} under ` : ""}${key} ${tree.name(key)}: ${count(number)}`),
    svg("rect", {
      x: x + 0.5,
      y: y + 0.5,
      width: Math.max(width - 1, 0.5),
      height: Math.max(height - 1, 0.5),
      rx: 2,
    }),
    ...(room ? lines : [])
      .slice(0, Math.max(Math.floor((height - 4) / 15), 1))
      .map((line, place) =>
        svg(
          "text",
          { x: x + 5, y: y + 14 + 14.5 * place, class: place ? "small" : "" },
          fitted(line, width - 8),
        ),
      ),
  );
}

/**
 * Return bars that can be pressed.
 * @param {[string, number][]} entries
 * @param {{total: number, chosen: string, choose: (key: string) => void, label: (key: string) => (Node|string)[], className?: (key: string) => string}} options
 */
export function bars(entries, { total, chosen, choose, label, className = () => "" }) {
  const most = Math.max(...entries.map(([, number]) => number), 1);
  return el(
    "ol.tallies",
    {},
    entries.map(([key, number]) =>
      el(
        "li",
        {},
        el(
          "button.tally",
          {
            type: "button",
            "aria-pressed": String(chosen === key),
            onclick: () => choose(key),
          },
          el("span.label", {}, ...label(key)),
          el("span.number", {}, count(number), el("span.share", {}, ` ${share(number, total)}`)),
          svg(
            "svg",
            { class: `track ${className(key)}`, viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": "true" },
            svg("rect", { class: "all", x: 0, y: 0, width: 100, height: 4 }),
            svg("rect", { class: "part", x: 0, y: 0, width: Math.max((number / most) * 100, 0.5), height: 4 }),
          ),
        ),
      ),
    ),
  );
}

/**
 * Return a share in whole percent.
 * @param {number} number
 * @param {number} total
 */
export function share(number, total) {
  if (!total) return "";
  const part = (100 * number) / total;
  return part > 0 && part < 1 ? "< 1%" : `${Math.round(part)}%`;
}

/**
 * Return columns by year, each of which can be pressed.
 * @param {Map<string, number>} years
 * @param {string} chosen
 * @param {(year: string) => void} choose
 */
export function yearColumns(years, chosen, choose) {
  const known = [...years.keys()].filter((year) => /^\d{4}$/.test(year)).map(Number);
  if (!known.length) return null;
  const [first, last] = [Math.min(...known), Math.max(...known)];
  const most = Math.max(...years.values());
  const list = Array.from({ length: last - first + 1 }, (_, place) => String(first + place));
  const sparse = Math.ceil(list.length / 8);
  return el(
    "ol.years",
    {},
    list.map((year, place) => {
      const number = years.get(year) ?? 0;
      const height = number ? Math.max((number / most) * 60, 1) : 0;
      return el(
        "li",
        {},
        el(
          "button.year",
          {
            type: "button",
            "aria-pressed": String(chosen === year),
            "aria-label": `${year}: ${count(number)}`,
            title: `${year}: ${count(number)}`,
            disabled: !number,
            onclick: () => choose(year),
          },
          svg(
            "svg",
            { viewBox: "0 0 10 60", preserveAspectRatio: "none", "aria-hidden": "true" },
            svg("rect", { class: "part", x: 0.5, y: 60 - height, width: 9, height }),
          ),
          el("span", { class: place % sparse ? "off" : null }, list.length > 12 ? `\u2019${year.slice(2)}` : year),
        ),
      );
    }),
  );
}

/**
 * Return one bar of two parts, for a share.
 * @param {number} part
 * @param {number} whole
 * @param {string} label
 */
export function split(part, whole, label) {
  return stack([[part, "part"]], whole, label);
}

/**
 * Return a bar of several shares of a whole, one beside the other.
 * @param {[number, string][]} parts Each with its class.
 * @param {number} whole
 * @param {string} label
 */
export function stack(parts, whole, label) {
  let x = 0;
  const rects = parts.map(([part, name]) => {
    const width = whole ? (100 * part) / whole : 0;
    x += width;
    return svg("rect", { class: name, x: x - width, y: 0, width, height: 6 });
  });
  return svg(
    "svg",
    { class: "split", viewBox: "0 0 100 6", preserveAspectRatio: "none", role: "img", "aria-label": label },
    svg("rect", { class: "all", x: 0, y: 0, width: 100, height: 6 }),
    ...rects,
  );
}
