// From two tables to a ranking: what the buttons and fields of the page do.

import * as api from "./api.js";
import { counted, say } from "./elements.js";
import { showExplanation } from "./explanation.js";
import { Intake } from "./intake.js";
import { Ranking } from "./ranking.js";
import { pending, verdict } from "./verdict.js";

const POLL = 500; // ms
const at = (selector) => document.querySelector(selector);
const choices = at("#support .choices");
const ranking = new Ranking(showExplanation);
let run = null;

const support = new Intake("support", {
  example: "smiles,IC50 (nM)\nCC(=O)Nc1ccc(O)cc1,120\nCCOc1ccccc1,> 10000",
  summary: (read) => {
    if (read.n_active === null) return `${counted(read.n_compounds, "compound")} with values${read.unit ? ` (${read.unit})` : ""}.`;
    const inactive = read.n_compounds - read.n_active;
    const alone = inactive ? "" : " Of actives alone nothing can be learned but similarity to them: add inactive compounds for probabilities.";
    return `${counted(read.n_compounds, "compound")}: ${read.n_active} active, ${inactive} inactive.${alone}`;
  },
  changed: ({ read }) => {
    choices.hidden = !read;
    if (read) showChoices(read);
  },
});

const library = new Intake("library", {
  example: "CC(=O)Nc1ccc(Cl)cc1 compound 1\nCCOc1ccc(F)cc1 compound 2",
  summary: (read) => {
    const bad = read.problems.length;
    const all = read.n_looked_at === read.n_rows;
    const seen = all ? "" : ` The first ${read.n_looked_at.toLocaleString("en")} were looked at so far.`;
    return `${counted(read.n_rows, "row")}.${bad ? ` ${counted(bad, "row")} cannot be scored.` : " Each has a structure."}${seen}`;
  },
  changed: () => {},
});

function showChoices(read) {
  const columns = choices.elements.label_column;
  columns.replaceChildren(new Option("choose a column", ""), ...read.columns.map((name) => new Option(name, name)));
  columns.value = read.label_column ?? "";
  choices.elements.read_as.value = read.read_as ?? "classes";
  choices.elements.active.value = read.active ?? "";
  choices.elements.threshold.value = read.threshold ?? "";
  at(".bar").hidden = read.read_as !== "threshold";
}

choices.addEventListener("submit", (event) => event.preventDefault());
choices.addEventListener("change", (event) => {
  const { label_column: column, read_as: readAs, active, threshold } = choices.elements;
  // Another column is looked at afresh; what was chosen for the last may not fit it.
  support.choose(event.target === column
    ? { label_column: column.value, read_as: "", active: "", threshold: "" }
    : { label_column: column.value, read_as: readAs.value, active: active.value, threshold: threshold.value });
});

at("#start").addEventListener("click", async () => {
  // What was given a moment ago may still be on its way to the server.
  at("#start").disabled = true;
  await Promise.all([support.settled(), library.settled()]);
  at("#start").disabled = false;
  const missing = !support.read?.support ? support : !library.read ? library : null;
  if (missing) {
    say(at("#run-problem"), missing === support
      ? "First give the compounds you have measured, in step 1."
      : "First give the compounds to rank, in step 2.");
    at(`#${missing.kind}-text`).focus();
    return;
  }
  say(at("#run-problem"), "");
  at("#results").hidden = true;
  setRunning(true);
  try {
    await follow(await api.start({
      support: support.read.support, library: library.read.library, memory: at("#memory input").checked,
    }));
  } catch (error) {
    say(at("#run-problem"), error.message);
  }
  setRunning(false);
});

at("#stop").addEventListener("click", async () => {
  const stopped = run;
  run = null;
  setRunning(false);
  say(at("#progress-text"), "Stopped.");
  at("#start").focus();
  await api.stop(stopped).catch(() => {});
});

async function follow(first) {
  run = first.run;
  let shown = false;
  for (let state = first; ; state = await api.state(first.run)) {
    if (run !== first.run) return;
    if (state.state === "failed") throw new Error(state.problem);
    report(state);
    if (state.is_ranked && !shown) {
      shown = true;
      at("#verdict").replaceChildren(pending());
      at("#results").hidden = false;
      await ranking.show(state);
      at("#results").focus();
    }
    if (state.state === "done") {
      at("#verdict").replaceChildren(verdict(state.belief));
      return;
    }
    await new Promise((resolve) => { setTimeout(resolve, POLL); });
  }
}

function report(state) {
  const bar = at("#progress progress");
  bar.max = state.n_rows;
  bar.value = state.n_done;
  const words = {
    waiting: "Waiting for another ranking to end.",
    adapting: "Learning from your compounds …",
    scoring: `Scoring: ${state.n_done.toLocaleString("en")} of ${counted(state.n_rows, "compound")}.`,
    checking: "Ranked. Finding out how far to trust it …",
    done: "Done.",
  };
  if (at("#progress-text").textContent !== words[state.state]) say(at("#progress-text"), words[state.state]);
}

function setRunning(running) {
  at("#start").disabled = running;
  at("#stop").hidden = !running;
  at("#progress").hidden = !running;
}

// A file dropped beside its place would replace the page.
for (const kind of ["dragover", "drop"]) window.addEventListener(kind, (event) => event.preventDefault());

api.about().then((about) => {
  support.limit = about.limits.support_bytes;
  library.limit = about.limits.library_bytes;
  at("#memory").hidden = !about.has_memory;
  at("#version").textContent = `molmeta ${about.version}`;
  at("#privacy").textContent = about.is_private
    ? "Your structures stay on this computer, in its memory: nothing is sent elsewhere or written to disk."
    : "Your structures go to the computer that this page comes from and no further. They stay in its memory.";
}).catch((error) => say(at("#run-problem"), error.message));
