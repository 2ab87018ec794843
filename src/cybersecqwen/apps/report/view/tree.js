// @ts-check
// The CWE tree (view CWE-1000), each entry under its first parent.

/** @typedef {{name: string, parent: string, usage?: string}} Entry */

const MOST_STEPS = 32; // a catalogue with a loop must not hang the page

export class CweTree {
  #entries;
  /** @type {Map<string, string[]>} */
  #paths = new Map();

  /** @param {Record<string, Entry>} entries By id. */
  constructor(entries = {}) {
    this.#entries = new Map(Object.entries(entries));
  }

  /** @param {string} id */
  name(id) {
    return this.#entries.get(id)?.name ?? "";
  }

  /** @param {string} id */
  usage(id) {
    return this.#entries.get(id)?.usage ?? "";
  }

  /**
   * Return the ids from the pillar down to an entry, itself last.
   * @param {string} id
   */
  path(id) {
    const known = this.#paths.get(id);
    if (known) return known;
    const path = [];
    for (let step = id; step && path.length < MOST_STEPS; step = this.#entries.get(step)?.parent ?? "")
      path.unshift(step);
    this.#paths.set(id, path);
    return path;
  }

  /**
   * Return the pillar that an entry belongs to.
   * @param {string} id
   */
  pillar(id) {
    return this.path(id)[0];
  }

  /**
   * Whether an entry is another one or a kind of it.
   * @param {string} id
   * @param {string} ancestor
   */
  within(id, ancestor) {
    return id === ancestor || this.path(id).includes(ancestor);
  }
}
