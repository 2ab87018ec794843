// How many records a file seems to hold, for a progress bar. Only a guess is needed: the server
// reads the file, and this does not.

const HEAD_CHARACTERS = 4096;
const MOST_BYTES = 2 ** 31; // unpacked; counting a larger file is not worth the time
const [NEWLINE, RETURN, SPACE, QUOTE] = [10, 13, 32, 34];

/**
 * Return the number of records, or null where it cannot be told cheaply.
 * @param {Blob} file
 * @param {string} format As chosen in the form.
 */
export async function estimate(file, format) {
  const magic = new Uint8Array(await file.slice(0, 2).arrayBuffer());
  if (magic[0] === 0x50 && magic[1] === 0x4b) return null; // zip
  let stream = file.stream();
  if (magic[0] === 0x1f && magic[1] === 0x8b)
    stream = stream.pipeThrough(new DecompressionStream("gzip"));
  const reader = stream.getReader();
  let counter = null;
  let head = "";
  let bytes = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (head.length < HEAD_CHARACTERS) {
        head += new TextDecoder().decode(value.slice(0, HEAD_CHARACTERS));
        const stated = statedTotal(head);
        if (stated !== null) return stated;
        if (isOneDocument(head, format)) return null;
      }
      counter ??= new Counter(isTable(head, format));
      bytes += value.length;
      if (bytes > MOST_BYTES) return null;
      counter.take(value);
    }
  } catch {
    return null; // a damaged archive, or a file that is gone
  } finally {
    reader.cancel().catch(() => {});
  }
  if (!counter) return 0;
  return Math.max(counter.end() - (isTable(head, format) ? 1 : 0), 0); // the header is no record
}

/** Whether a text is a table with a header, whose fields may hold line breaks in quotes. */
const isTable = (head, format) =>
  format === "csv" ||
  (format === "auto" &&
    /^[^{[\n]*\b(description|text|summary)\b[^\n]*$/im.test(head.split("\n", 1)[0]));

/** Return the total that an NVD feed states at its head, or null. */
function statedTotal(head) {
  const found = /"(?:totalResults|CVE_data_numberOfCVEs)"\s*:\s*"?(\d+)/.exec(head);
  return found ? Number(found[1]) : null;
}

/** Whether a text is JSON that does not hold one record a line. */
function isOneDocument(head, format) {
  if (format === "text" || format === "csv" || !/^\s*[[{]/.test(head)) return false;
  const line = head.trimStart().split("\n", 1)[0].trimEnd();
  // A line that goes on past the head may be a record; one that ends in the middle is not.
  return line.length < HEAD_CHARACTERS && !/[}\]]$/.test(line);
}

/** Counts lines that are not blank; in a table, a line break inside quotes ends none. */
class Counter {
  #table;
  #lines = 0;
  #quoted = false;
  #filled = false;

  constructor(table) {
    this.#table = table;
  }

  take(bytes) {
    let [lines, quoted, filled] = [this.#lines, this.#quoted, this.#filled];
    for (const byte of bytes) {
      if (byte === NEWLINE && !quoted) {
        if (filled) lines += 1;
        filled = false;
      } else if (byte === QUOTE) {
        quoted = this.#table && !quoted;
        filled = true;
      } else if (byte !== SPACE && byte !== RETURN) filled = true;
    }
    [this.#lines, this.#quoted, this.#filled] = [lines, quoted, filled];
  }

  end() {
    return this.#lines + (this.#filled ? 1 : 0);
  }
}
