// What the server is and knows: read once, and again when it has been away.

import { CweTree } from "../view/tree.js";
import { getJson } from "./api.js";

/**
 * What /api/info said: {version, model, llm, sends_to, knowledge, limits}; null until it has.
 * @type {any}
 */
export let info = null;

const pages = new Map();

export async function loadInfo() {
  info = await getJson("api/info");
  return info;
}

/** Whether the server is known to have no knowledge base. */
export const bookless = () => info !== null && !info.knowledge;

/** Whether the server is known to have no language model. */
export const wordless = () => info !== null && !info.llm;

/** Return where texts go, in a few words. */
export function privacy() {
  const host = info?.sends_to;
  return host
    ? `mapping stays on this server; questions are sent to ${host}`
    : "nothing you type leaves this server";
}

/** Labelling conventions that can be asked for; a model may know more from its training. */
export const labellers = () =>
  (info?.model?.labellers ?? Object.keys(LABELLER)).filter((name) => name in LABELLER);

/** How many ids the model can answer with, or null where the server does not say. */
export function labelCount() {
  const labels = info?.model?.labels;
  return Array.isArray(labels) ? labels.length : (labels ?? null);
}

/** Return what /api/cwe says of an id; each is asked for once. */
export function getCwe(id) {
  if (!pages.has(id)) {
    const page = getJson(`api/cwe/${encodeURIComponent(id)}`);
    pages.set(id, page);
    page.catch(() => pages.delete(id)); // a failure is not remembered
  }
  return pages.get(id);
}

/** @type {Promise<CweTree>|null} */
let tree = null;

/** Return the CWE tree; it is asked for once. */
export function getTree() {
  tree ??= getJson("api/cwe").then(({ entries }) => new CweTree(entries));
  tree.catch(() => {
    tree = null; // a failure is not remembered
  });
  return tree;
}

/** What to call a labeller. */
export const LABELLER = { nvd: "NVD", cna: "The vendor (CNA)" };
