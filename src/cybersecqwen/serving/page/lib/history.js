// What was mapped before, kept in this browser alone (IndexedDB), until it is deleted.

const NAME = "cybersecqwen";
const VERSION = 1;
const MOST = { batch: 8, text: 30 };

/**
 * @typedef {Object} Run
 * @property {string} id
 * @property {"batch"|"text"} kind
 * @property {string} name The file's name, or the beginning of the text.
 * @property {string} when ISO 8601.
 * @property {string} labeller
 * @property {number} rows
 */

/** @returns {Promise<IDBDatabase>} */
function opened() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, VERSION);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("runs", { keyPath: "id" });
      request.result.createObjectStore("contents");
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/**
 * Run something in one transaction over both stores; a browser that keeps nothing gives `otherwise`.
 * @template T
 * @param {IDBTransactionMode} mode
 * @param {T} otherwise
 * @param {(runs: IDBObjectStore, contents: IDBObjectStore) => IDBRequest<any>|void} act
 * @returns {Promise<T>}
 */
async function within(mode, otherwise, act) {
  try {
    const database = await opened();
    try {
      const transaction = database.transaction(["runs", "contents"], mode);
      const done = new Promise((resolve, reject) => {
        transaction.oncomplete = resolve;
        transaction.onerror = transaction.onabort = () => reject(transaction.error);
      });
      const request = act(transaction.objectStore("runs"), transaction.objectStore("contents"));
      await done;
      return request ? request.result : otherwise;
    } finally {
      database.close();
    }
  } catch {
    return otherwise;
  }
}

/**
 * Keep a run and its content; the oldest of its kind give way.
 * @param {Omit<Run, "id"|"when">} run
 * @param {Blob|string} content
 * @returns {Promise<string>} Its id, by which `recall` finds it.
 */
export async function remember(run, content) {
  const now = new Date();
  const entry = { ...run, id: now.getTime().toString(36), when: now.toISOString() };
  const known = await remembered(run.kind);
  const same = known.filter(({ name, labeller }) => name === run.name && labeller === run.labeller);
  const old = known.filter((other) => !same.includes(other)).slice(MOST[run.kind] - 1);
  await within("readwrite", undefined, (runs, contents) => {
    for (const { id } of [...same, ...old]) {
      runs.delete(id);
      contents.delete(id);
    }
    runs.put(entry);
    contents.put(content, entry.id);
  });
  changed();
  return entry.id;
}

/**
 * Return the runs of a kind, the newest first.
 * @param {string} kind
 * @returns {Promise<Run[]>}
 */
export async function remembered(kind) {
  /** @type {Run[]} */
  const all = await within("readonly", [], (runs) => runs.getAll());
  return all
    .filter((run) => run.kind === kind)
    .sort((a, b) => b.when.localeCompare(a.when));
}

/**
 * Return a run and its content, or null where it is not kept any more.
 * @param {string} id
 * @returns {Promise<{run: Run, content: Blob|string}|null>}
 */
export async function recall(id) {
  const run = await within("readonly", null, (runs) => runs.get(id));
  const content = await within("readonly", null, (_, contents) => contents.get(id));
  return run && content !== null && content !== undefined ? { run, content } : null;
}

/**
 * Forget runs.
 * @param {string[]} ids
 */
export async function forgetRuns(ids) {
  await within("readwrite", undefined, (runs, contents) => {
    for (const id of ids) {
      runs.delete(id);
      contents.delete(id);
    }
  });
  changed();
}

/**
 * Call a listener when runs are kept or forgotten in this tab.
 * @param {() => void} listener
 */
export const onRuns = (listener) => addEventListener("runs", listener);

const changed = () => dispatchEvent(new Event("runs"));
