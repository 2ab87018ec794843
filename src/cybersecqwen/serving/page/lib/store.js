// Corrections, kept in this browser: one entry of local storage each, so that two tabs do not
// overwrite each other's.

const PREFIX = "cybersecqwen.correction.";

/** Said when a correction cannot be kept. */
export class StorageError extends Error {}

/**
 * Return the key under which a text's corrections meet: its id if it has one, else a hash of the
 * text (FNV-1a, twice 32 bits; it only has to tell a person's own texts apart).
 */
export function idOf(text, given = "") {
  if (given.trim()) return given.trim();
  const half = (seed) => {
    let hash = seed;
    for (let place = 0; place < text.length; place += 1) {
      hash = Math.imul(hash ^ text.charCodeAt(place), 0x01000193);
    }
    return (hash >>> 0).toString(16).padStart(8, "0");
  };
  return `text-${half(0x811c9dc5)}${half(0x9e3779b9)}`;
}

/**
 * Keep what a labeller would have said of a text.
 * @param {{id: string, text: string, labeller: string, cwe: string, name: string, answer: Object}}
 *   correction `answer` is the row that is corrected or confirmed.
 * @throws {StorageError}
 */
export function keep({ id, text, labeller, cwe, name, answer }) {
  const key = PREFIX + id;
  const known = read(key) ?? { id, labels: {} };
  const { cwe: predicted, confidence, model } = answer;
  known.text = text;
  known.labels[labeller] = {
    cwe,
    name,
    predicted,
    confidence,
    model,
    saved: new Date().toISOString(),
  };
  try {
    localStorage.setItem(key, JSON.stringify(known));
  } catch (error) {
    const full = error.name === "QuotaExceededError";
    throw new StorageError(
      full
        ? "This browser's storage for the page is full. Export the corrections, then clear them."
        : "This browser keeps nothing for this page. Allow site data for it, then try again.",
    );
  }
  changed();
}

/** Return all corrections, the newest first. */
export function kept() {
  let keys;
  try {
    keys = Object.keys(localStorage);
  } catch {
    return [];
  }
  return keys
    .filter((key) => key.startsWith(PREFIX))
    .map(read)
    .filter(Boolean)
    .sort((a, b) => latest(b).localeCompare(latest(a)));
}

const latest = ({ labels }) =>
  Object.values(labels)
    .map(({ saved }) => saved)
    .sort()
    .at(-1) ?? "";

export function forget(id) {
  localStorage.removeItem(PREFIX + id);
  changed();
}

/** Return the corrections as lines of JSON, in the form that `corpus build` reads as jsonl. */
export function trainingRows(corrections) {
  return corrections
    .map(({ id, text, labels }) => {
      const entries = Object.entries(labels);
      const each = (value) =>
        Object.fromEntries(entries.map(([who, label]) => [who, value(label)]));
      return `${JSON.stringify({
        id,
        description: text,
        labels: each(({ cwe }) => [cwe]),
        predicted: each(({ predicted, confidence, model }) => ({
          cwe: predicted,
          confidence,
          model,
        })),
        saved: each(({ saved }) => saved),
      })}\n`;
    })
    .join("");
}

/** Call a listener when corrections change, in this tab or another. */
export function onChange(listener) {
  addEventListener("corrections", listener);
  addEventListener("storage", (event) => {
    if (event.key === null || event.key.startsWith(PREFIX)) listener();
  });
}

const changed = () => dispatchEvent(new Event("corrections"));

function read(key) {
  try {
    const value = JSON.parse(localStorage.getItem(key) ?? "null");
    return typeof value?.text === "string" && value.labels ? value : null;
  } catch {
    return null; // not ours, or damaged
  }
}
