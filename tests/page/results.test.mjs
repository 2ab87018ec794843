import assert from "node:assert/strict";
import test from "node:test";

import { CweTree } from "../../src/cybersecqwen/apps/report/view/tree.js";
import {
  bandOf,
  largest,
  NO_FILTER,
  readFilter,
  reviewFirst,
  reviewReason,
  sortRows,
  tally,
  tester,
  urgency,
  writeFilter,
} from "../../src/cybersecqwen/apps/report/view/results.js";

const tree = new CweTree({
  "CWE-707": { name: "Improper Neutralization", parent: "" },
  "CWE-74": { name: "Injection", parent: "CWE-707" },
  "CWE-79": { name: "Cross-site Scripting", parent: "CWE-74" },
  "CWE-787": { name: "Out-of-bounds Write", parent: "" },
});

function row(place, more = {}) {
  return {
    place,
    id: `CVE-2024-${place}`,
    cwe: "CWE-79",
    confidence: 0.9,
    abstained: false,
    band: "sure",
    backoff: "",
    said: [],
    agrees: null,
    score: null,
    severity: "",
    year: "2024",
    url: "",
    title: "",
    ...more,
  };
}

const rows = [
  row(0),
  row(1, { cwe: "CWE-787", abstained: true, band: "unsure", confidence: 0.4, score: 9.8, severity: "critical" }),
  row(2, { band: "likely", said: ["CWE-787"], agrees: false, year: "2023", title: "A Title" }),
  row(3, { said: ["CWE-79"], agrees: true, score: 5, severity: "medium" }),
  row(10, { problem: "broken", cwe: "", year: "" }),
];
const places = (filter) =>
  rows.filter(tester({ ...NO_FILTER, ...filter }, tree)).map(({ place }) => place);

test("filters choose rows", () => {
  assert.deepEqual(places({}), [0, 1, 2, 3, 10]);
  assert.deepEqual(places({ show: "sure" }), [0, 3]);
  assert.deepEqual(places({ show: "likely" }), [2]);
  assert.deepEqual(places({ show: "unsure" }), [1]);
  assert.deepEqual(places({ show: "differs" }), [2]);
  assert.deepEqual(places({ show: "problems" }), [10]);
  assert.deepEqual(places({ cwe: "CWE-74" }), [0, 2, 3], "kinds of it too");
  assert.deepEqual(places({ said: "CWE-787" }), [2]);
  assert.deepEqual(places({ year: "2023" }), [2]);
  assert.deepEqual(places({ severity: "critical" }), [1]);
  assert.deepEqual(places({ find: " a title " }), [2]);
  assert.deepEqual(places({ find: "out-of-bounds" }), [1], "the name of the weakness");
});

test("an address gives its filter back, and nothing that is not one", () => {
  const filter = { ...NO_FILTER, show: "unsure", cwe: "CWE-79", find: "a & b", sort: "-confidence" };
  assert.deepEqual(readFilter(writeFilter(filter)), filter);
  assert.equal(String(writeFilter(NO_FILTER)), "");
  assert.equal(readFilter(new URLSearchParams("show=__proto__")).show, "all");
  assert.equal(readFilter(new URLSearchParams("show=nothing")).show, "all");
});

test("sorting is stable, numbers by size, rows without a key last or first", () => {
  const order = (sort) => sortRows([...rows], sort).map(({ place }) => place);
  assert.deepEqual(order(""), [0, 1, 2, 3, 10]);
  assert.deepEqual(order("id"), [0, 1, 2, 3, 10]);
  assert.deepEqual(order("-id"), [10, 3, 2, 1, 0]);
  assert.deepEqual(order("confidence"), [1, 0, 2, 3, 10]);
  assert.deepEqual(order("-severity"), [1, 3, 0, 2, 10]);
  for (const sort of ["nothing", "__proto__", "-toString"])
    assert.deepEqual(order(sort), [0, 1, 2, 3, 10], sort);
});

test("a tally counts answers, labels and pairs", () => {
  const sum = tally(rows);
  assert.equal(sum.rows, 4);
  assert.equal(sum.problems, 1);
  assert.deepEqual(sum.bands, { sure: 2, likely: 1, unsure: 1 });
  assert.equal(sum.labelled, 2);
  assert.equal(sum.agreeing, 1);
  assert.deepEqual([...sum.pairs], [["CWE-787 CWE-79", 1]]);
  assert.deepEqual(largest(sum.cwes, 1), [["CWE-79", 3]]);
  assert.deepEqual(
    largest(new Map([["CWE-100", 1], ["CWE-9", 1]]), 2).map(([key]) => key),
    ["CWE-9", "CWE-100"],
  );
});

test("an answer without a band is likely, one that abstains unsure", () => {
  assert.equal(bandOf(false, "sure"), "sure");
  assert.equal(bandOf(false, undefined), "likely");
  assert.equal(bandOf(true, "sure"), "unsure");
});

test("what to look at first: severe and contradicted, severe and unsure", () => {
  assert.equal(urgency(rows[0]), 0);
  assert.equal(urgency(rows[3]), 0);
  assert.equal(urgency(rows[4]), 0);
  assert.deepEqual(reviewFirst(rows, 5).map(({ place }) => place), [1, 2]);
  assert.deepEqual(reviewFirst(rows, 1).map(({ place }) => place), [1]);
  assert.equal(reviewReason(rows[1]), "unsure");
  assert.equal(reviewReason({ ...rows[1], backoff: "CWE-119" }), "unsure, at least CWE-119");
  assert.match(reviewReason(rows[2]), /says CWE-787, its text reads as CWE-79/);
});

test("the tree survives a loop and an unknown id", () => {
  const loop = new CweTree({ a: { name: "", parent: "b" }, b: { name: "", parent: "a" } });
  assert.ok(loop.path("a").length <= 32);
  assert.deepEqual(tree.path("CWE-1"), ["CWE-1"]);
  assert.equal(tree.pillar("CWE-79"), "CWE-707");
  assert.ok(tree.within("CWE-79", "CWE-74"));
  assert.ok(!tree.within("CWE-74", "CWE-79"));
});
