// The ranked compounds: filtered, sorted and paged by the server, drawn as they come into view.

import { compounds, tableAddress } from "./api.js";
import { STATUS, counted, drawing, element, percent } from "./elements.js";

const HEADS = {
  classes: ["Probability of being active", "Below a probability stands the range in which it will be, nine times in ten, once you have measured more."],
  values: ["Expected value", "Below a value stands the range that holds a measurement nine times in ten."],
  actives: ["Score", "Without inactive compounds there are no probabilities: the order is that of similarity."],
};
const PAGE = 50;
const AFTER_TYPING = 300; // ms

const form = document.querySelector("#view");
const body = document.querySelector("#ranking tbody");
const count = document.querySelector("#count");
const more = document.querySelector("#more");

export class Ranking {
  constructor(explain) {
    this._explain = explain;
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", () => {
      clearTimeout(this._timer);
      this._timer = setTimeout(() => this._load(0), AFTER_TYPING);
    });
    more.addEventListener("click", () => this._load(body.rows.length));
  }

  async show(state) {
    this._state = state;
    form.reset();
    const [head, help] = HEADS[state.predicts_values ? "values" : state.has_probabilities ? "classes" : "actives"];
    this._head = head;
    document.querySelector("#score-head").textContent = head;
    document.querySelector("#reading-help").textContent = help;
    await this._load(0);
  }

  async _load(offset) {
    const run = this._state.run;
    const view = Object.fromEntries(new FormData(form));
    for (const format of ["csv", "sdf"]) {
      document.querySelector(`#${format}`).href = tableAddress(run, format, view);
    }
    const wanted = (this._wanted = Symbol("the last page asked for"));
    let page;
    try {
      page = await compounds(run, { ...view, offset, limit: PAGE });
    } catch (error) {
      count.textContent = error.message;
      return;
    }
    if (wanted !== this._wanted) return;
    const rows = page.compounds.map((one) => this._row(one));
    if (offset) body.append(...rows);
    else body.replaceChildren(...rows);
    count.textContent = counted(page.n_shown, "compound");
    more.hidden = body.rows.length >= page.n_shown;
    if (offset) rows[0]?.querySelector("button")?.focus();
  }

  _row(one) {
    const { columns, smiles_column: smilesColumn } = this._state;
    const place = columns.indexOf(smilesColumn);
    const name = one.cells.find((cell, i) => i !== place && cell.trim()) ?? `row ${one.row}`;
    const open = element("button", { type: "button", className: "link", ariaLabel: `Why: ${name}` }, "Why?");
    open.addEventListener("click", () => this._explain(this._state, one, name));
    const remarks = [
      one.in_support ? "you measured it" : "",
      one.seen ? "known to public assays" : "",
      STATUS[one.status] ?? one.status,
    ].filter(Boolean);
    // Of what the badge and the similarity say already, nothing.
    const reason = one.reason.split("; ").filter((part) => !part.startsWith("domain:")).join("; ");
    return element("tr", {},
      element("th", { scope: "row", className: "rank" }, one.rank === null ? "–" : String(one.rank)),
      element("td", { className: "structure" }, one.smiles ? drawing(one.smiles) : ""),
      element("td", { className: "compound" },
        element("strong", {}, name), element("span", { className: "smiles" }, one.cells[place]),
        one.smiles ? open : ""),
      element("td", { className: "score", "data-head": this._head }, ...score(one)),
      element("td", { className: "near", "data-head": "Similarity" },
        one.similarity === null ? "" : meter(one.similarity, "similarity"), one.similarity === null ? "" : one.similarity.toFixed(2)),
      element("td", { className: "remarks" },
        ...remarks.map((text) => element("span", { className: `badge ${one.status === "warn_domain" && text === STATUS.warn_domain ? "far" : ""}` }, text)),
        reason ? element("small", {}, reason) : ""));
  }
}

function score(one) {
  if (one.value !== null) {
    return [element("strong", {}, one.value.toFixed(2)), element("small", {}, `${one.low.toFixed(2)} to ${one.high.toFixed(2)}`)];
  }
  if (one.probability === null) return [];
  const range = one.low === null ? "" : `${percent(one.low)} to ${percent(one.high)}`;
  return [meter(one.probability, "probability"), element("strong", {}, percent(one.probability)), range ? element("small", {}, range) : ""];
}

function meter(share, name) {
  return element("meter", { min: 0, max: 1, value: share, ariaLabel: name });
}
