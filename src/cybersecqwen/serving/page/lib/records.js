// One vulnerability record, pasted or dropped: the description in it.

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
