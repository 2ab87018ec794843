// Copying to the clipboard, and saying that it was done.

import { announce, el } from "../view/dom.js";

const SHOWN_MS = 1600;

/**
 * Return a button that copies a text.
 * @param {string} words
 * @param {() => string} text
 */
export function copyButton(words, text) {
  const button = el(
    "button",
    {
      type: "button",
      onclick: async () => {
        const done = await copied(text());
        button.textContent = done ? "Copied" : "Not allowed to copy";
        announce(button.textContent);
        setTimeout(() => {
          button.textContent = words;
        }, SHOWN_MS);
      },
    },
    words,
  );
  return button;
}

/** @param {string} text */
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return byCommand(text);
  }
}

/**
 * Copy where the clipboard is closed to the page: an address without TLS that is not localhost.
 * @param {string} text
 */
function byCommand(text) {
  const field = el("textarea.unseen", { "aria-hidden": "true", tabindex: -1 });
  field.value = text;
  document.body.append(field);
  field.select();
  try {
    return document.execCommand("copy");
  } finally {
    field.remove();
  }
}
