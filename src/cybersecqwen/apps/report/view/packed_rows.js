// @ts-check
// Rows as the report packs them (payload.py): a list each, its places in this order.

/** @type {import("./results.js").Band[]} */
const BANDS = ["sure", "unsure", "likely"];

/**
 * Return a row and what it opens to.
 * @param {any[]} list
 * @param {number} place
 * @returns {[import("./results.js").Row, import("./row_table.js").Detail]}
 */
export function rowOf(list, place) {
  const [id, cwe, confidence, band, backoff, candidates, reason, year, said] = list;
  const [agrees, score, severity, url, title, text, columns, assessed, ours, denied] = list.slice(9);
  return [
    { place, id, cwe, confidence, abstained: band === 1, band: BANDS[band], backoff, said, agrees, score, severity, ours, year, url, title },
    {
      text,
      title,
      reason,
      denied,
      columns,
      assessed,
      candidates: candidates.map((/** @type {[string, number]} */ [other, probability]) => ({
        cwe: other,
        probability,
      })),
    },
  ];
}
