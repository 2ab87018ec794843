// @ts-check
// A squarified treemap (Bruls, Huizing, van Wijk, 2000): areas by number, near to squares.

/**
 * @typedef {{x: number, y: number, width: number, height: number}} Box
 * @typedef {{key: string, number: number}} Share
 */

/**
 * Return the box of each share, in the order given; shares must come largest first.
 * @template {Share} S
 * @param {S[]} shares
 * @param {Box} box
 * @returns {(S & Box)[]}
 */
export function squarify(shares, box) {
  const total = shares.reduce((sum, { number }) => sum + number, 0);
  if (!total || box.width <= 0 || box.height <= 0) return [];
  const scale = (box.width * box.height) / total;
  /** @type {(S & Box)[]} */
  const placed = [];
  let { x, y, width, height } = box;
  let start = 0;
  while (start < shares.length) {
    const side = Math.min(width, height);
    const end = rowEnd(shares, start, side, scale);
    const row = shares.slice(start, end);
    const area = row.reduce((sum, { number }) => sum + number * scale, 0);
    const thick = side > 0 ? area / side : 0;
    let along = 0;
    for (const share of row) {
      const length = thick > 0 ? (share.number * scale) / thick : 0;
      placed.push(
        width >= height
          ? { ...share, x, y: y + along, width: thick, height: length }
          : { ...share, x: x + along, y, width: length, height: thick },
      );
      along += length;
    }
    if (width >= height) [x, width] = [x + thick, width - thick];
    else [y, height] = [y + thick, height - thick];
    start = end;
  }
  return placed;
}

/**
 * Return where a row ends: before the share that would make its worst box longer.
 * @param {Share[]} shares
 * @param {number} start
 * @param {number} side
 * @param {number} scale
 */
function rowEnd(shares, start, side, scale) {
  const largest = shares[start].number * scale;
  let area = 0;
  let worst = Infinity;
  for (let end = start; end < shares.length; end += 1) {
    const piece = shares[end].number * scale;
    area += piece;
    const square = (area / side) ** 2;
    const now = Math.max(largest / square, square / piece);
    if (now > worst) return end;
    worst = now;
  }
  return shares.length;
}
