import assert from "node:assert/strict";
import test from "node:test";

import { squarify } from "../../src/cybersecqwen/apps/report/view/treemap.js";

const shares = (...numbers) => numbers.map((number, place) => ({ key: `k${place}`, number }));

test("areas are in proportion, inside the box, and do not overlap", () => {
  const box = { x: 10, y: 20, width: 600, height: 400 };
  const numbers = [60, 60, 40, 30, 20, 10, 5, 1, 1, 1];
  const total = numbers.reduce((sum, number) => sum + number, 0);
  const placed = squarify(shares(...numbers), box);
  assert.deepEqual(placed.map(({ key }) => key), numbers.map((_, place) => `k${place}`));
  for (const { number, x, y, width, height } of placed) {
    assert.ok(Math.abs(width * height - (number / total) * 600 * 400) < 1e-6);
    assert.ok(x >= 10 - 1e-9 && y >= 20 - 1e-9);
    assert.ok(x + width <= 610 + 1e-6 && y + height <= 420 + 1e-6);
  }
  for (const a of placed)
    for (const b of placed)
      if (a !== b)
        assert.ok(
          a.x + a.width <= b.x + 1e-6 ||
            b.x + b.width <= a.x + 1e-6 ||
            a.y + a.height <= b.y + 1e-6 ||
            b.y + b.height <= a.y + 1e-6,
        );
});

test("boxes are near to squares where they can be", () => {
  const placed = squarify(shares(6, 6, 4, 3, 2, 2, 1), { x: 0, y: 0, width: 6, height: 4 });
  const worst = Math.max(...placed.map(({ width, height }) => Math.max(width / height, height / width)));
  assert.ok(worst <= 3.01, String(worst)); // the example of the paper, whose worst is 25/9
});

test("nothing gives nothing", () => {
  assert.deepEqual(squarify([], { x: 0, y: 0, width: 10, height: 10 }), []);
  assert.deepEqual(squarify(shares(1), { x: 0, y: 0, width: 0, height: 10 }), []);
  assert.deepEqual(squarify(shares(0), { x: 0, y: 0, width: 10, height: 10 }), []);
});
