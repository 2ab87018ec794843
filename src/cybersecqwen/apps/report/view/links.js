// @ts-check
// Addresses of other sites, for people to follow. Nothing here or elsewhere requests them.

/** @param {string} id */
export const cweLink = (id) =>
  `https://cwe.mitre.org/data/definitions/${encodeURIComponent(id.replace("CWE-", ""))}.html`;

/** @param {string} id */
export const techniqueLink = (id) =>
  `https://attack.mitre.org/techniques/${encodeURIComponent(id).replace(".", "/")}/`;

/**
 * Return links about a record: [words, address].
 * @param {string} id
 * @param {string} url The record's own page, if it has one.
 * @returns {[string, string][]}
 */
export function recordLinks(id, url = "") {
  /** @type {[string, string][]} */
  const links = [];
  if (/^CVE-\d{4}-\d{4,}$/i.test(id)) {
    const cve = encodeURIComponent(id.toUpperCase());
    links.push(["NVD", `https://nvd.nist.gov/vuln/detail/${cve}`]);
    links.push(["CVE", `https://www.cve.org/CVERecord?id=${cve}`]);
  }
  if (/^https?:\/\//.test(url) && !links.some(([, known]) => known === url))
    links.push(["Its page", url]);
  return links;
}
