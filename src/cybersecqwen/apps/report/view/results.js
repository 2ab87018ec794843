// @ts-check
// The rows of a result, what is asked of them, and what they add up to. No document here.

/**
 * How far an answer can be trusted.
 * @typedef {"sure"|"likely"|"unsure"} Band
 *
 * @typedef {Object} Row
 * @property {number} place Its place in the input, from 0.
 * @property {string} id
 * @property {string} cwe
 * @property {number} confidence
 * @property {boolean} abstained
 * @property {Band} band
 * @property {string} backoff An ancestor that is sure, or an empty string.
 * @property {string[]} said The record's own ids.
 * @property {boolean|null} agrees Whether the answer is among them; null where there are none.
 * @property {number|null} score CVSS base score.
 * @property {string} severity
 * @property {boolean} [ours] Whether score and severity are predicted.
 * @property {string} year
 * @property {string} url
 * @property {string} title
 * @property {string} [problem] Why there is no answer.
 *
 * @typedef {Object} Filter
 * @property {string} show "all", "sure", "likely", "unsure", "differs" or "problems".
 * @property {string} cwe Rows of this weakness or a kind of it.
 * @property {string} said Rows whose own label is this one.
 * @property {string} year
 * @property {string} severity
 * @property {string} find Words of an id, a weakness or a title.
 * @property {string} sort "", or a key with "-" in front for the other direction.
 */

/** @type {Readonly<Filter>} */
export const NO_FILTER = Object.freeze({
  show: "all",
  cwe: "",
  said: "",
  year: "",
  severity: "",
  find: "",
  sort: "",
});

const KEYS = /** @type {(keyof Filter)[]} */ (Object.keys(NO_FILTER));
/** @type {Band[]} */
export const BANDS = ["sure", "likely", "unsure"];
export const SEVERITIES = ["critical", "high", "medium", "low", "none"];

/** @type {Record<string, (row: Row) => boolean>} */
const SHOWN = {
  all: () => true,
  sure: (row) => row.problem === undefined && row.band === "sure",
  likely: (row) => row.problem === undefined && row.band === "likely",
  unsure: (row) => row.problem === undefined && row.band === "unsure",
  differs: (row) => row.agrees === false,
  problems: (row) => row.problem !== undefined,
};

/**
 * Return the band of an answer; "likely" where it is not said how sure it is.
 * @param {boolean} abstained
 * @param {string} [band]
 * @returns {Band}
 */
export function bandOf(abstained, band) {
  if (abstained) return "unsure";
  return band === "sure" ? "sure" : "likely";
}

/**
 * Return the filter that an address holds.
 * @param {URLSearchParams} parameters
 * @returns {Filter}
 */
export function readFilter(parameters) {
  const filter = { ...NO_FILTER };
  for (const key of KEYS) filter[key] = parameters.get(key) ?? NO_FILTER[key];
  if (!Object.hasOwn(SHOWN, filter.show)) filter.show = "all";
  return filter;
}

/**
 * Return what an address must hold to restore a filter.
 * @param {Filter} filter
 */
export function writeFilter(filter) {
  const parameters = new URLSearchParams();
  for (const key of KEYS) if (filter[key] !== NO_FILTER[key]) parameters.set(key, filter[key]);
  return parameters;
}

/**
 * Return a test of rows.
 * @param {Filter} filter
 * @param {import("./tree.js").CweTree} tree
 * @returns {(row: Row) => boolean}
 */
export function tester(filter, tree) {
  const { cwe, said, year, severity } = filter;
  const shown = SHOWN[filter.show];
  const wanted = filter.find.trim().toLowerCase();
  return (row) =>
    shown(row) &&
    (!cwe || (row.problem === undefined && tree.within(row.cwe, cwe))) &&
    (!said || row.said.includes(said)) &&
    (!year || row.year === year) &&
    (!severity || row.severity === severity) &&
    (!wanted ||
      `${row.id} ${row.cwe} ${tree.name(row.cwe)} ${row.title}`.toLowerCase().includes(wanted));
}

/** @type {Record<string, (row: Row) => string|number>} */
const SORT_KEYS = {
  id: (row) => padded(row.id),
  cwe: (row) => Number(row.cwe.slice(4)) || 1e9,
  confidence: (row) => (row.problem === undefined ? row.confidence : 2),
  severity: (row) => row.score ?? -1,
  published: (row) => row.year,
};

/**
 * Sort rows in place: by a key, equal ones and those of no key in the input's order.
 * @param {Row[]} rows
 * @param {string} sort
 */
export function sortRows(rows, sort) {
  const down = sort.startsWith("-");
  const name = sort.replace("-", "");
  if (!Object.hasOwn(SORT_KEYS, name)) return rows;
  const key = SORT_KEYS[name];
  const sign = down ? -1 : 1;
  const keyed = rows.map((row) => ({ row, key: key(row) }));
  keyed.sort((a, b) => {
    if (a.key === b.key) return a.row.place - b.row.place;
    return a.key < b.key ? -sign : sign;
  });
  keyed.forEach(({ row }, place) => {
    rows[place] = row;
  });
  return rows;
}

/**
 * Return an id whose numbers sort by size.
 * @param {string} id
 */
const padded = (id) => id.replace(/\d+/g, (digits) => digits.padStart(9, "0"));

/**
 * @typedef {Object} Tally
 * @property {number} rows Answers.
 * @property {number} problems
 * @property {Record<Band, number>} bands
 * @property {number} labelled Rows whose record has a label of its own.
 * @property {number} agreeing
 * @property {Map<string, number>} cwes
 * @property {Map<string, number>} years
 * @property {Map<string, number>} severities
 * @property {Map<string, number>} pairs Of "label answer" where they differ.
 */

/**
 * Return what rows add up to.
 * @param {Iterable<Row>} rows
 * @returns {Tally}
 */
export function tally(rows) {
  const sum = {
    rows: 0,
    problems: 0,
    bands: { sure: 0, likely: 0, unsure: 0 },
    labelled: 0,
    agreeing: 0,
    cwes: new Map(),
    years: new Map(),
    severities: new Map(),
    pairs: new Map(),
  };
  for (const row of rows) addTo(sum, row);
  return sum;
}

/**
 * Count one row more.
 * @param {Tally} sum
 * @param {Row} row
 */
export function addTo(sum, row) {
  if (row.problem !== undefined) {
    sum.problems += 1;
    return;
  }
  sum.rows += 1;
  sum.bands[row.band] += 1;
  increase(sum.cwes, row.cwe);
  if (row.year) increase(sum.years, row.year);
  if (row.severity) increase(sum.severities, row.severity);
  if (row.agrees === null) return;
  sum.labelled += 1;
  if (row.agrees) sum.agreeing += 1;
  else increase(sum.pairs, `${row.said[0]} ${row.cwe}`);
}

/**
 * @param {Map<string, number>} counts
 * @param {string} key
 */
const increase = (counts, key) => counts.set(key, (counts.get(key) ?? 0) + 1);

/**
 * Return the largest entries of a count, the smaller key first among equals.
 * @param {Map<string, number>} counts
 * @param {number} most
 * @returns {[string, number][]}
 */
export const largest = (counts, most) =>
  [...counts]
    .sort(([a, n], [b, m]) => m - n || (padded(a) < padded(b) ? -1 : 1))
    .slice(0, most);

const UNKNOWN_SCORE = 5;

/**
 * Return how soon a person should look at a row; 0 for one that can wait.
 * An answer that contradicts the record's label may show a wrong label; an unsure one has to be
 * read. Among both the severe come first.
 * @param {Row} row
 */
export function urgency(row) {
  if (row.problem !== undefined) return 0;
  const severe = row.score ?? UNKNOWN_SCORE;
  if (row.agrees === false && !row.abstained) return severe + 2 * row.confidence;
  return row.abstained && row.agrees !== true ? severe + 1 - row.confidence : 0;
}

/**
 * Return the rows to look at first.
 * @param {Iterable<Row>} rows
 * @param {number} most
 */
export function reviewFirst(rows, most) {
  /** @type {{row: Row, urgency: number}[]} */
  const best = [];
  for (const row of rows) {
    const value = urgency(row);
    if (!value || (best.length === most && value <= best[most - 1].urgency)) continue;
    const place = best.findIndex((other) => other.urgency < value);
    best.splice(place < 0 ? best.length : place, 0, { row, urgency: value });
    if (best.length > most) best.pop();
  }
  return best.map(({ row }) => row);
}

/**
 * Return why a row is among those to look at first.
 * @param {Row} row
 */
export function reviewReason(row) {
  if (row.agrees === false && !row.abstained)
    return `the record says ${row.said.join(", ")}, its text reads as ${row.cwe}`;
  return row.backoff && row.backoff !== row.cwe ? `unsure, at least ${row.backoff}` : "unsure";
}
