// Why a compound has its score: its atoms coloured, and the measured compounds behind it.

import { explanation } from "./api.js";
import { counted, drawing, element, percent } from "./elements.js";

const MOST = 10;
const HOW = {
  exact: "The score is a sum: what no single compound of yours brings, and a share of each of them.",
  "left out": "A share is how much the score changes when the model is not shown that compound.",
  nearest: "With actives alone, the score is the similarity to the nearest of them.",
};

const dialog = document.querySelector("#explanation");
const body = dialog.querySelector(".dialog-body");
dialog.querySelector(".close").addEventListener("click", () => dialog.close());

export async function showExplanation(state, one, name) {
  dialog.querySelector("h2").textContent = `Why: ${name}`;
  body.replaceChildren(element("p", {}, "Working it out …"));
  dialog.showModal();
  const wanted = (dialog.wanted = Symbol("the last compound asked for"));
  let parts;
  try {
    parts = told(await explanation(state.run, one.row), state);
  } catch (error) {
    parts = [element("p", { className: "problem" }, error.message)];
  }
  if (wanted === dialog.wanted) body.replaceChildren(...parts);
}

function told(explained, state) {
  const { scored, atoms, support, base, method } = explained;
  if (!support.length) return [element("p", {}, `It has no score: ${scored.reason}`)];
  return [
    element("div", { className: "explained" },
      element("figure", {}, drawing(scored.smiles, atoms?.shares),
        element("figcaption", {},
          element("span", { className: "key up" }, "blue atoms raise the score"),
          element("span", { className: "key down" }, "orange atoms lower it"))),
      element("div", {}, element("p", { className: "answer" }, answer(scored)), element("p", { className: "soft" }, HOW[method] + (scored.logit === null ? "" : " In log odds: 0 is a probability of 50%.")),
        Object.keys(base).length ? sum(base, support) : "")),
    element("h3", {}, "The measured compounds behind it"),
    shares(support, state),
    support.length > MOST ? element("p", { className: "soft" }, `and ${counted(support.length - MOST, "compound")} with smaller shares`) : "",
  ];
}

function answer(scored) {
  const near = `The nearest compound you measured has a similarity of ${scored.similarity.toFixed(2)}.`;
  if (scored.value !== null) return `Expected value ${scored.value.toFixed(2)}, between ${scored.low.toFixed(2)} and ${scored.high.toFixed(2)} nine times in ten. ${near}`;
  if (scored.probability !== null) return `Active with a probability of ${percent(scored.probability)}. ${near}`;
  return near;
}

function sum(base, support) {
  const parts = [...Object.entries(base), [counted(support.length, "measured compound"), total(support.map((one) => one.share))]];
  const rows = [...parts, ["together", total(parts.map(([, part]) => part))]];
  return element("table", { className: "sum" }, element("tbody", {},
    ...rows.map(([name, part]) => element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, signed(part))))));
}

function shares(support, state) {
  const strongest = Math.max(...support.map((one) => Math.abs(one.share ?? 0))) || 1;
  return element("ol", { className: "shares" }, ...support.slice(0, MOST).map((one) =>
    element("li", {},
      drawing(one.smiles),
      element("div", {},
        element("strong", {}, label(one, state)), element("small", {}, `similarity ${one.similarity.toFixed(2)}`),
        one.share === null ? element("small", {}, "no share can be given")
          : element("span", { className: one.share < 0 ? "share down" : "share up" },
            element("meter", { min: 0, max: 1, value: Math.abs(one.share) / strongest, ariaLabel: "size of the share" }),
            `${one.share < 0 ? "lowers" : "raises"} it by ${Math.abs(one.share).toFixed(2)}`)))));
}

function label(one, state) {
  if (!state.predicts_values) return one.label ? "active" : "inactive";
  return `${{ 0: "", 1: "> ", "-1": "< " }[one.relation]}${one.label.toFixed(2)}`;
}

const total = (numbers) => numbers.reduce((whole, one) => whole + (one ?? 0), 0);
const signed = (number) => `${number < 0 ? "−" : "+"}${Math.abs(number).toFixed(2)}`;
