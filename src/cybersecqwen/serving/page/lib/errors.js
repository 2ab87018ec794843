// What each failure means to the person in front of the page, and what to do about it.

import { el, announce, notice } from "../view/dom.js";
import { setToken } from "./api.js";

/** Return {title, advice} for an error; `subject` is what was sent: "text", "file", "question". */
export function explain(error, subject) {
  const said = error.message ? `The server says: ${error.message}` : "";
  if (error.kind === "gone") {
    return {
      title: "The server does not answer",
      advice: "Is cybersecqwen serve still running? Start it again; what you typed is still here.",
    };
  }
  if (error.kind === "cut") {
    return { title: "The connection was lost", advice: "What had arrived is kept. Try again." };
  }
  switch (error.status) {
    case 401:
      return {
        title: "This server wants a token",
        advice: "Enter the one it was started with. It is kept until you close this tab.",
      };
    case 413:
      return {
        title: `This ${subject} is too large for the server`,
        advice: [
          said,
          "Send less at a time, or map it on the command line, which has no limit: " +
            "cybersecqwen map --input FILE --output answers.csv",
        ],
      };
    case 429:
      return {
        title: "The server has all it can do",
        advice: `Nothing is wrong with the ${subject}. ${wait(error.retryAfter)}`,
      };
    case 503:
      if (error.code === "no_knowledge_base") {
        return { title: "No knowledge base on this server", advice: said };
      }
      return {
        title: "The server is not ready",
        advice: [said, `It may be starting or shutting down. ${wait(error.retryAfter)}`],
      };
    case 408:
    case 504:
      return {
        title: "This took longer than the server allows",
        advice: [said, `Send a shorter ${subject}, or try again when the machine is less busy.`],
      };
    default:
      return error.status >= 500
        ? { title: "The server failed", advice: [said, "Its log says why. Try again."] }
        : {
            title: `The server cannot use this ${subject}`,
            advice: said || "It does not say why.",
          };
  }
}

const wait = (retryAfter) =>
  retryAfter ? `It asks to try again in ${retryAfter} s.` : "Try again in a moment.";

/**
 * Return a box about an error, with a button that tries again.
 * @param {any} error
 * @param {string} subject
 * @param {(() => void)|null} again
 */
export function errorBox(error, subject, again) {
  if (!error.kind) console.error(error); // a fault of the page, not of the request
  const { title, advice } = error.kind
    ? explain(error, subject)
    : { title: "The page failed", advice: `${error.message}. Load it again.` };
  const body = [advice].flat().filter(Boolean);
  if (error.status === 401) return notice("bad", title, body, tokenForm(again));
  const box = notice("bad", title, body);
  if (again) box.append(el("p", {}, againButton(error.retryAfter ?? 0, again)));
  return box;
}

/** Return a button that counts down the seconds the server asked for, and tries when pressed. */
function againButton(after, again) {
  const button = el("button", { type: "button", onclick: again }, "Try again");
  let left = after;
  const tick = () => {
    button.disabled = left > 0;
    button.textContent = left > 0 ? `Try again in ${left} s` : "Try again";
    if (left > 0) {
      left -= 1;
      setTimeout(tick, 1000);
    } else if (after > 0 && button.isConnected) {
      announce("You can try again now.");
    }
  };
  tick();
  return button;
}

function tokenForm(again) {
  const input = el("input", { type: "password", autocomplete: "off", required: true });
  return el(
    "form.row",
    {
      onsubmit: (event) => {
        event.preventDefault();
        setToken(input.value.trim());
        if (again) again();
      },
    },
    el("label", {}, "Token ", input),
    el("button.primary", { type: "submit" }, "Use it"),
  );
}
