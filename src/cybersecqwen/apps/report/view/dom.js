// Building blocks of the page. Whatever comes from the server, a file or the user becomes a text
// node: nothing here, or anywhere in the page, parses a string as HTML.

/** @typedef {Node|string|null|undefined} Child */

/**
 * Return a new element.
 * @template {string} N
 * @param {N} name Tag name, with classes behind dots: "p.hint".
 * @param {Record<string, any>} properties Listeners ("onclick"), attributes, and booleans for
 *   attributes without a value. Null, undefined and false are left out.
 * @param {...(Child|Child[])} children
 * @returns {N extends `${infer T extends keyof HTMLElementTagNameMap}.${string}` ? HTMLElementTagNameMap[T] : N extends keyof HTMLElementTagNameMap ? HTMLElementTagNameMap[N] : HTMLElement}
 */
export function el(name, properties = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const node = document.createElement(tag);
  if (classes.length) node.className = classes.join(" ");
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  for (const child of children.flat()) if (child !== null && child !== undefined) node.append(child);
  return /** @type {any} */ (node);
}

/**
 * Return an element of the document, whose ids and kinds are those of index.html.
 * @param {string} id
 * @returns {any}
 */
export const byId = (id) => document.getElementById(id);

/**
 * Say something to those who cannot see it appear.
 * @param {string} text
 */
export function announce(text) {
  byId("live").textContent = text;
}

// Control and format characters, line breaks and tabs aside: what can hide or reverse text.
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}]/gu;
const KEPT = new Set(["\n", "\t"]);

/**
 * Return a text with its invisible characters spelt out, so that none can disguise it.
 * @param {unknown} text
 */
export function visible(text) {
  return String(text).replace(INVISIBLE, (char) => {
    if (KEPT.has(char)) return char;
    const code = (char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
    return `\u27e8U+${code}\u27e9`;
  });
}

/**
 * Return a stranger's text, cut at a length, isolated from the direction of what is around it.
 * @param {unknown} text
 */
export function foreign(text, most = 4000) {
  const shown = visible(text);
  return el("bdi", {}, shown.length > most ? `${shown.slice(0, most)}\u2026` : shown);
}

/**
 * Return a probability as a percentage, never rounded up to certainty.
 * @param {number} probability
 */
export function percent(probability) {
  if (probability > 0.9949 && probability < 1) return "> 99%";
  if (probability > 0 && probability < 0.0005) return "< 0.1%";
  return probability < 0.0995
    ? `${(probability * 100).toFixed(1)}%`
    : `${Math.round(probability * 100)}%`;
}

/** @param {number} number */
export const count = (number) => number.toLocaleString("en");

/**
 * Return "1 record", "2 records".
 * @param {number} number
 * @param {string} noun
 */
export const plural = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;

/**
 * Return a bar of a probability that needs no style attribute.
 * @param {number} probability
 * @param {string} label
 */
export function bar(probability, label) {
  return el("meter", { min: 0, max: 1, value: probability, "aria-label": label });
}

/**
 * Return a box that says something, with a class that says how grave it is.
 * @param {"plain"|"good"|"bad"} kind
 * @param {string} title
 * @param {...(Child|Child[])} body
 */
export function notice(kind, title, ...body) {
  return el(
    `div.notice.${kind}`,
    { role: kind === "bad" ? "alert" : null },
    el("p", {}, el("strong", {}, title)),
    ...body.flat().map((part) => (typeof part === "string" ? el("p", {}, part) : part)),
  );
}

/**
 * Submit a form on Ctrl+Enter or Cmd+Enter.
 * @param {HTMLFormElement} form
 */
export function submitByKeys(form) {
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
}

/**
 * Take files and texts that are dropped on an element.
 * @param {HTMLElement} target
 * @param {(what: File|string) => void} take
 */
export function takeDrops(target, take) {
  let depth = 0;
  const mark = (/** @type {number} */ by) => {
    depth = Math.max(0, depth + by);
    target.classList.toggle("over", depth > 0);
  };
  target.addEventListener("dragenter", (event) => {
    event.preventDefault();
    mark(1);
  });
  target.addEventListener("dragleave", () => mark(-1));
  target.addEventListener("dragover", (event) => event.preventDefault());
  target.addEventListener("drop", (event) => {
    event.preventDefault();
    event.stopPropagation();
    depth = 0;
    mark(0);
    const file = event.dataTransfer?.files[0];
    const text = event.dataTransfer?.getData("text");
    if (file) take(file);
    else if (text) take(text);
  });
}

/**
 * Save a blob as a file.
 * @param {Blob} blob
 * @param {string} name
 */
export function download(blob, name) {
  const link = el("a", { href: URL.createObjectURL(blob), download: name, hidden: true });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/**
 * Return a link to another site, which learns nothing but the address.
 * @param {string} words
 * @param {string} address
 */
export const away = (words, address) =>
  el("a.away", { href: address, target: "_blank", rel: "noopener noreferrer" }, words);

/** Let the browser paint and take input. */
export const pause = () => new Promise((resolve) => setTimeout(resolve));
