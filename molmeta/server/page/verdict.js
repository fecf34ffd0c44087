// Whether to believe the ranking, in words, with the figures behind them.

import { element, percent } from "./elements.js";

const SIGNS = {
  "use it": ["good", "✓"],
  "better than guessing": ["good", "✓"],
  "no better than similarity search": ["fair", "≈"],
  "perhaps better than guessing": ["fair", "≈"],
  "do not use": ["bad", "✕"],
  "no better than guessing": ["bad", "✕"],
};

export function verdict(belief) {
  const [kind, sign] = SIGNS[belief.verdict] ?? ["none", "?"];
  const words = belief.verdict[0].toUpperCase() + belief.verdict.slice(1);
  return element("div", { className: `verdict ${kind}` },
    element("h3", {}, element("span", { ariaHidden: "true", className: "sign" }, sign), `Can I trust it? ${words}.`),
    element("p", {}, belief.reason),
    belief.check ? warning(belief.check) : "",
    belief.check ? figures(belief.check) : "");
}

export function pending() {
  return element("div", { className: "verdict none" },
    element("h3", {}, "Can I trust it? Trying the model on your own compounds …"),
    element("p", {}, "Parts of what you measured are held out, and ranked by a model that was not shown them."));
}

function warning(check) {
  if (!check.n_seen) return "";
  const n = check.n_active + check.n_inactive;
  return element("p", {}, `${check.n_seen} of your ${n} compounds occur in the public assays that the model `
    + "was trained on. Known compounds flatter: expect less of new ones.");
}

function figures(check) {
  const rows = check.methods.map(({ method, roc_auc: auc }) =>
    element("tr", {}, element("th", { scope: "row" }, method),
      element("td", {}, percent(auc.value)), element("td", {}, `${percent(auc.low)} to ${percent(auc.high)}`)));
  return element("details", {}, element("summary", {}, "Compared with simpler methods"),
    element("table", { className: "sum" },
      element("thead", {}, element("tr", {}, ...["Method", "Active ranked above inactive", "95% interval"].map((title) => element("th", { scope: "col" }, title)))),
      element("tbody", {}, ...rows)));
}
