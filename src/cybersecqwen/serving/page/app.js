// The page's frame: sections, the server's state, and what ties the features together.

import { readAddress } from "./lib/address.js";
import { errorBox } from "./lib/errors.js";
import { loadInfo, privacy } from "./lib/server.js";
import { byId, count } from "./view/dom.js";
import { restoreAsk, startAsk, tellAsk } from "./views/ask.js";
import { chooseFile, restoreBatch, startBatch } from "./views/batch.js";
import { startCorrections } from "./views/corrections.js";
import { mapThis, restoreMap, startMap, tellMap } from "./views/map.js";

const VIEWS = ["map", "ask", "batch", "corrections"];

function showView(focus) {
  const { section } = readAddress(location.hash);
  const name = VIEWS.find((view) => view === section) ?? VIEWS[0];
  for (const view of VIEWS) byId(`view-${view}`).hidden = view !== name;
  for (const link of /** @type {NodeListOf<HTMLAnchorElement>} */ (
    document.querySelectorAll("nav a")
  )) {
    if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const title = byId(`${name}-title`);
  document.title = `${title.textContent} \u2013 cybersecqwen`;
  if (focus) {
    scrollTo(0, 0);
    title.focus();
  }
}

async function readInfo() {
  const place = byId("server-state");
  try {
    about(await loadInfo());
    place.replaceChildren();
  } catch (error) {
    place.replaceChildren(errorBox(error, "request", readInfo));
    return;
  }
  tellAsk();
  tellMap();
  restore();
}

/** Show what the address asks for, beyond its section. */
function restore() {
  restoreMap();
  restoreAsk();
  restoreBatch();
}

function about({ version, model, llm, knowledge }) {
  byId("about").textContent = [
    `cybersecqwen ${version}`,
    `model ${model.name}`,
    knowledge ? `knowledge base of ${count(knowledge.passages)} passages` : "no knowledge base",
    llm ? `language model ${llm}` : "no language model",
    privacy(),
  ].join(" \u00b7 ");
}

startMap((file) => {
  location.hash = "#batch";
  chooseFile(file);
});
startAsk((text) => {
  location.hash = "#map";
  mapThis(text);
});
startBatch();
startCorrections();
showView(false);
addEventListener("hashchange", () => {
  if (!VIEWS.includes(readAddress(location.hash).section)) return;
  showView(true);
  restore();
});
// A file dropped beside the forms must not replace the page.
for (const event of ["dragover", "drop"]) addEventListener(event, (e) => e.preventDefault());
readInfo();
