// One vulnerability record, pasted or dropped: the description in it.

/**
 * Return {id, text} of a CVE record in JSON (CVE JSON 5, NVD 2.0 or 1.1, or a row with a
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
    : [record.description, record.text, record.summary].find((t) => typeof t === "string");
  if (typeof text !== "string" || !text.trim()) return null;
  const id = record.cveMetadata?.cveId ?? cve.id ?? cve.CVE_data_meta?.ID ?? record.cve_id ?? "";
  return { id: String(id), text };
}
