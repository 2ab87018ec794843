// @ts-check
// Rows as the report packs them (payload.py): a list each, its places in this order.

/**
 * Return a row and what it opens to.
 * @param {any[]} list
 * @param {number} place
 * @returns {[import("./results.js").Row, import("./row_table.js").Detail]}
 */
export function rowOf(list, place) {
  const [id, cwe, confidence, abstained, backoff, candidates, reason, year, said] = list;
  const [agrees, score, severity, url, title, text, columns] = list.slice(9);
  return [
    { place, id, cwe, confidence, abstained: abstained === 1, backoff, said, agrees, score, severity, year, url, title },
    {
      text,
      title,
      reason,
      columns,
      candidates: candidates.map((/** @type {[string, number]} */ [other, probability]) => ({
        cwe: other,
        probability,
      })),
    },
  ];
}
