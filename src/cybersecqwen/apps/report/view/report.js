// @ts-check
// The report's own script: its rows unpacked, its view restored from the address.

import { byId, el, pause } from "./dom.js";
import { rowOf } from "./packed_rows.js";
import { ResultView } from "./result_view.js";
import { readFilter, writeFilter } from "./results.js";
import { CweTree } from "./tree.js";

/**
 * Return the text that is packed in an element.
 * @param {Element} element
 */
async function unpacked(element) {
  const packed = Uint8Array.from(atob(element.textContent ?? ""), (char) => char.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).text();
}

async function start() {
  const facts = JSON.parse(byId("facts").textContent ?? "{}");
  /** @type {import("./row_table.js").Detail[]} */
  const details = [];
  const view = new ResultView({
    detail: async ({ place }) => details[place],
    changed: (filter) => {
      const address = String(writeFilter(filter));
      history.replaceState(null, "", address ? `#${address}` : location.pathname + location.search);
    },
  });
  view.setTree(new CweTree(facts.tree));
  byId("report").replaceChildren(view.node);
  const restore = () => view.apply(readFilter(new URLSearchParams(location.hash.slice(1))));
  for (const part of document.querySelectorAll("script.part")) {
    for (const list of JSON.parse(await unpacked(part))) {
      const [row, detail] = rowOf(list, view.rows.length);
      view.rows.push(row);
      details.push(detail);
    }
    part.remove();
    if (view.rows.length === 1000) restore();
    await pause();
  }
  restore();
  addEventListener("hashchange", restore);
}

start().catch((error) => {
  byId("report").replaceChildren(el("p.notice.bad", {}, `This report is damaged: ${error.message}`));
});
