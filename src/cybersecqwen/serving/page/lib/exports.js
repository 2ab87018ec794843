// Rows as files: the same bytes that `cybersecqwen map` would write.

const COLUMNS = [
  "id",
  "cwe",
  "name",
  "confidence",
  "abstained",
  "backoff_cwe",
  "backoff_name",
  "backoff_probability",
  "candidates",
  "usage",
  "catalogue",
  "model",
  "agrees",
  "title",
  "description",
  "nvd_cwe",
  "cna_cwe",
  "cvss",
  "cvss_score",
  "cvss_severity",
  "published",
  "url",
];

export const CSV_HEAD = `${COLUMNS.join(",")}\r\n`;

/**
 * Return a row of /api/map as a line of CSV (RFC 4180). A cell that a spreadsheet would take for a
 * formula gets an apostrophe in front (OWASP, CSV Injection).
 */
export function csvLine(row) {
  const { backoff } = row;
  const cells = [
    inert(row.id),
    inert(row.cwe),
    inert(row.name),
    decimal(row.confidence),
    row.abstained ? "true" : "false",
    inert(backoff?.cwe ?? ""),
    inert(backoff?.name ?? ""),
    backoff ? decimal(backoff.probability) : "",
    inert(row.candidates.map(({ cwe, probability }) => `${cwe} ${general(probability)}`).join("|")),
    inert(row.usage),
    inert(row.catalogue),
    inert(row.model),
    row.agrees === true ? "true" : row.agrees === false ? "false" : "",
    inert(row.title ?? ""),
    inert(row.description ?? ""),
    (row.nvd_cwe ?? []).join("|"),
    (row.cna_cwe ?? []).join("|"),
    inert(row.cvss ?? ""),
    typeof row.cvss_score === "number" ? decimal(row.cvss_score) : "",
    row.cvss_severity ?? "",
    inert(row.published ?? ""),
    inert(row.url ?? ""),
  ];
  return `${cells.map(quoted).join(",")}\r\n`;
}

const FORMULA = /^(\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n])/;

const inert = (cell) =>
  FORMULA.test(cell) && !/^[+-]?\d+(\.\d+)?$/.test(cell) ? `'${cell}` : cell;

const quoted = (cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);

/** Return a number as Python writes it: 1.0, 0.25, 1e-05. */
function decimal(number) {
  if (Number.isInteger(number)) return `${number}.0`;
  return Math.abs(number) < 1e-4 ? exponent(number.toExponential()) : String(number);
}

/** Return a number with six significant digits, as Python's "g" writes it. */
function general(number) {
  if (number === 0) return "0";
  const [, power] = number.toExponential(5).split("e");
  if (Number(power) < -4 || Number(power) > 5) {
    const [digits, scale] = number.toExponential(5).split("e");
    return exponent(`${Number(digits)}e${scale}`);
  }
  return String(Number(number.toPrecision(6)));
}

/** Give an exponent its two digits. */
const exponent = (text) => text.replace(/e([+-])(\d)$/, "e$10$2");
