// One vulnerability record, pasted or dropped: the description in it, and what the server says.

import { ApiError, postJson, request } from "./api.js";

/**
 * Return {id, text} of a record in JSON (CVE JSON 5, NVD 2.0 or 1.1, OSV, or a row with a
 * description), or null where the text is no such record.
 */
export function describedIn(content) {
  const trimmed = content.trim();
  if (!trimmed.startsWith("{")) return null;
  let record;
  try {
    record = JSON.parse(trimmed);
  } catch {
    return null;
  }
  const list = record.vulnerabilities ?? record.CVE_Items;
  if (Array.isArray(list)) {
    if (list.length !== 1) return null; // a feed: for Batch
    [record] = list;
  }
  const cve = record.cve ?? record;
  const texts =
    record.containers?.cna?.descriptions ?? cve.descriptions ?? cve.description?.description_data;
  const text = Array.isArray(texts)
    ? texts.find(({ lang }) => /^en/i.test(lang ?? ""))?.value
    : headlineAndText(record);
  if (typeof text !== "string" || !text.trim()) return null;
  const id = record.cveMetadata?.cveId ?? cve.id ?? cve.CVE_data_meta?.ID ?? record.cve_id ?? "";
  return { id: String(id), text };
}

/** Return a record's text, behind its headline where the text does not say it. */
function headlineAndText({ summary, description, details, text }) {
  const body = [description, details, text].find((t) => typeof t === "string" && t.trim());
  if (typeof summary !== "string" || !summary.trim()) return body;
  if (!body) return summary;
  const said = body.toLowerCase().includes(summary.trim().replace(/\.$/, "").toLowerCase());
  return said ? body : `${summary.trim()}\n\n${body}`;
}

/**
 * Return the server's row of a text, of an id, or of a record in JSON, which is read whole.
 * @param {"api/map"|"api/assess"} route
 * @param {string} given
 * @param {Record<string, string|number>} options Such as the labeller.
 * @param {AbortSignal} [signal]
 * @throws {ApiError}
 */
export async function rowOf(route, given, options, signal) {
  if (!describedIn(given)) return postJson(route, { text: given, ...options }, signal);
  const query = new URLSearchParams(Object.entries(options).map(([name, value]) => [name, String(value)]));
  const response = await request(`${route}/file?${query}`, { method: "POST", body: given, signal });
  const lines = (await response.text()).split("\n").filter(Boolean).map((line) => JSON.parse(line));
  const row = lines.find(({ cwe }) => cwe);
  if (row) return row;
  const problem = lines.find((line) => line.problem)?.problem;
  throw new ApiError("refused", problem?.reason ?? "There is no record in it.", 400, "no_description");
}
