"use strict";
// Shows the items of one task. All text comes from the data block and is only ever set as
// textContent, so that nothing a prompt or a model wrote can become markup.
(function () {
  const STEP = 50;
  const make = (name, text, className) => {
    const element = document.createElement(name);
    if (text !== undefined) element.textContent = text;
    if (className) element.className = className;
    return element;
  };
  const field = (label, control, parent) => {
    const box = make("label", label);
    box.append(control);
    parent.append(box);
    return control;
  };
  const choose = (options) => {
    const select = make("select");
    for (const [value, text] of options) {
      const option = make("option", text);
      option.value = value;
      select.append(option);
    }
    return select;
  };
  const verdict = (answer) =>
    answer === null ? "not asked" : answer.right === 1 ? "right" : answer.right === 0 ? "wrong" :
      "right in " + Math.round(answer.right * 100) + " % of trials";

  function body(item, systems) {
    const box = make("div");
    if (item.source) box.append(make("p", "Source: " + item.source, "note"));
    box.append(make("pre", item.prompt || "(the imported file has no prompt)"));
    item.answers.forEach((answer, place) => {
      if (answer === null) return;
      box.append(make("h3", systems[place]));
      const said = answer.reading === null ? "unreadable" : answer.reading;
      const sure = answer.confidence === undefined ? "" :
        ", confidence " + answer.confidence.toFixed(3);
      box.append(make("p", said + ": " + verdict(answer) + sure,
        answer.right >= 0.5 ? "right" : "wrong"));
      if (answer.output && answer.output !== answer.reading) box.append(make("pre", answer.output));
    });
    return box;
  }

  function row(item, systems) {
    const details = make("details");
    const summary = make("summary");
    summary.append(make("b", item.id), " expects " + item.gold + ". ");
    item.answers.forEach((answer, place) => {
      if (answer === null) return;
      summary.append(make("span",
        systems[place] + ": " + (answer.reading === null ? "unreadable" : answer.reading) + " ",
        answer.right >= 0.5 ? "right" : "wrong"));
    });
    details.append(summary);
    details.addEventListener("toggle", () => {
      if (details.open && details.childElementCount === 1) details.append(body(item, systems));
    });
    return details;
  }

  function explore(root) {
    const block = document.getElementById(root.dataset.items);
    if (!block) return;
    const data = JSON.parse(block.textContent);
    const filters = make("div", undefined, "filters");
    const search = field("Text in question, answer or id", make("input"), filters);
    search.type = "search";
    const golds = [...new Set(data.items.map((item) => item.gold))].sort();
    const gold = field("Expected answer",
      choose([["", "any"], ...golds.slice(0, 500).map((name) => [name, name])]), filters);
    const agree = field("Agreement", choose([["", "any"], ["split", "systems disagree"],
      ["none", "nobody is right"], ["all", "everybody is right"]]), filters);
    const verdicts = data.systems.map((name) => field(name,
      choose([["", "any"], ["1", "right"], ["0", "wrong"], ["null", "unreadable"]]), filters));
    const count = make("p", "", "note");
    const list = make("div");
    const more = make("button", "Show more");
    root.append(filters, count, list, more);
    let found = [];
    let shown = 0;
    const show = () => {
      for (const item of found.slice(shown, shown + STEP)) list.append(row(item, data.systems));
      shown = Math.min(found.length, shown + STEP);
      more.hidden = shown === found.length;
      count.textContent = found.length + " of " + data.items.length + " items, " + shown + " shown";
    };
    const fits = (item) => {
      if (gold.value && item.gold !== gold.value) return false;
      const said = item.answers.filter((answer) => answer !== null);
      const rights = said.filter((answer) => answer.right >= 0.5).length;
      if (agree.value === "split" && (rights === 0 || rights === said.length)) return false;
      if (agree.value === "none" && rights > 0) return false;
      if (agree.value === "all" && rights < said.length) return false;
      for (let place = 0; place < verdicts.length; place += 1) {
        const wanted = verdicts[place].value;
        const answer = item.answers[place];
        if (!wanted) continue;
        if (answer === null) return false;
        if (wanted === "null" && answer.reading !== null) return false;
        if (wanted === "1" && answer.right < 0.5) return false;
        if (wanted === "0" && answer.right >= 0.5) return false;
      }
      const words = search.value.trim().toLowerCase();
      return !words || (item.id + " " + item.prompt + " " + item.gold + " " +
        said.map((answer) => answer.output).join(" ")).toLowerCase().includes(words);
    };
    const refresh = () => {
      found = data.items.filter(fits);
      shown = 0;
      list.replaceChildren();
      show();
    };
    filters.addEventListener("input", refresh);
    more.addEventListener("click", show);
    refresh();
  }
  document.querySelectorAll("[data-items]").forEach(explore);
})();
