// What the model is unsure about, in plain words.

import { percent } from "../view/dom.js";
import { getCwe } from "./server.js";

const CLOSE = 0.5; // a runner-up with at least this share of the answer's probability is close
const FEW_WORDS = 8;
const MOST_CHARACTERS = 20_000; // core.text.MAX_CHARACTERS: the model reads no further

/**
 * Return how one weakness stands to another: "the same", "broader", "narrower", "a sibling" or
 * "elsewhere in the tree".
 */
export async function relation(from, to) {
  if (from === to) return "the same";
  const [a, b] = await Promise.all([getCwe(from), getCwe(to)]);
  if ([...a.path, ...a.parents].some(({ id }) => id === to)) return "broader";
  if ([...b.path, ...b.parents].some(({ id }) => id === from)) return "narrower";
  const shared = a.parents.some(({ id }) => b.parents.some((parent) => parent.id === id));
  return shared ? "a sibling" : "elsewhere in the tree";
}

const MEANING = {
  broader: "a broader name for the same kind of flaw",
  narrower: "a more specific kind of it",
  "a sibling": "a neighbour under the same parent",
  "elsewhere in the tree": "from another part of the tree, so the two readings differ in kind",
};

/**
 * Return sentences about an answer's doubts; none when there is nothing to say.
 * @param {Object} answer A row of /api/map.
 * @param {string} text The description.
 */
export async function doubts(answer, text) {
  const said = [];
  const [best, second] = answer.candidates;
  if (answer.abstained) {
    said.push(
      `The model abstains: ${percent(answer.confidence)} is under its threshold. ` +
        `${answer.cwe} is its best guess, no more.`,
    );
    const { backoff } = answer;
    said.push(
      backoff
        ? `What it is sure of, at ${percent(backoff.probability)}: this is a kind of ` +
            `${backoff.cwe} ${backoff.name}.`
        : "No broader weakness is sure either. A person has to read this one.",
    );
  }
  if (second && second.probability >= CLOSE * best.probability) {
    const how = MEANING[await relation(best.cwe, second.cwe).catch(() => "")];
    said.push(
      `${second.cwe} is close behind, ${percent(second.probability)} against ` +
        `${percent(best.probability)}${how ? `: ${how}` : ""}.`,
    );
  }
  const usage = (await getCwe(answer.cwe).catch(() => null))?.usage;
  if (usage === "discouraged") {
    said.push(`MITRE discourages mapping to ${answer.cwe}; a more specific id may fit.`);
  }
  if (text.trim().split(/\s+/).length < FEW_WORDS) {
    said.push("The text is very short; more of the description would help.");
  }
  if (text.length > MOST_CHARACTERS) {
    said.push("The text is long: only its first 20,000 characters were read.");
  }
  return said;
}
