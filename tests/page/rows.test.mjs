import assert from "node:assert/strict";
import test from "node:test";

import { readAddress, writeAddress } from "../../src/cybersecqwen/serving/page/lib/address.js";
import { describedIn } from "../../src/cybersecqwen/serving/page/lib/records.js";
import { cweLink, recordLinks } from "../../src/cybersecqwen/apps/report/view/links.js";

test("an address is a section and parameters", () => {
  const parameters = new URLSearchParams([["text", "a & b#c?d"]]);
  const read = readAddress(writeAddress("map", parameters));
  assert.equal(read.section, "map");
  assert.equal(read.parameters.get("text"), "a & b#c?d");
  assert.equal(readAddress("").section, "");
  assert.equal(writeAddress("ask", new URLSearchParams()), "#ask");
});

test("links lead to NVD, CVE and MITRE, and nowhere that a record chooses but by its address", () => {
  assert.deepEqual(
    recordLinks("CVE-2024-12345").map(([words]) => words),
    ["NVD", "CVE"],
  );
  assert.deepEqual(recordLinks("line-3", "javascript:alert(1)"), []);
  assert.deepEqual(recordLinks("line-3", "https://example.org/a"), [["Its page", "https://example.org/a"]]);
  assert.equal(cweLink("CWE-79"), "https://cwe.mitre.org/data/definitions/79.html");
});

test("the description is found in a record of any of the CVE formats", () => {
  const text = "A text.";
  for (const record of [
    { cveMetadata: { cveId: "CVE-2024-1" }, containers: { cna: { descriptions: [{ lang: "en", value: text }] } } },
    { vulnerabilities: [{ cve: { id: "CVE-2024-1", descriptions: [{ lang: "en", value: text }] } }] },
    { cve_id: "CVE-2024-1", description: text },
  ])
    assert.deepEqual(describedIn(JSON.stringify(record)), { id: "CVE-2024-1", text });
  assert.equal(describedIn("no record"), null);
  assert.equal(describedIn('{"vulnerabilities": []}'), null);
});

test("of an OSV record headline and details are read", () => {
  const record = { id: "GHSA-2222-3333-4444", summary: "XSS in acme", details: "The title is not encoded." };
  assert.deepEqual(describedIn(JSON.stringify(record)), {
    id: "GHSA-2222-3333-4444",
    text: "XSS in acme\n\nThe title is not encoded.",
  });
  assert.equal(describedIn(JSON.stringify({ ...record, details: "XSS in acme: words." })).text, "XSS in acme: words.");
});
