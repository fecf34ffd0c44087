// A place to paste, choose or drop a table, which is read by the server at once, row by row.

import { send } from "./api.js";
import { STATUS, counted, element, say } from "./elements.js";

const AFTER_TYPING = 600; // ms
const MOST_LISTED = 100;

export class Intake {
  // `kind` is "support" or "library"; `summary` puts what was read into words.
  constructor(kind, { example, summary, changed }) {
    this.kind = kind;
    this.read = null;
    this.choices = {};
    this.limit = Infinity;
    this._changed = changed;
    this._summary = summary;
    this._content = null;
    this._name = "";
    this._reading = null;
    this._rows = document.querySelector(`#${kind} .rows`);
    this._build(document.querySelector(`#${kind} .intake`), example);
  }

  _build(place, example) {
    const id = `${this.kind}-text`;
    this._text = element("textarea", {
      id, rows: 5, spellcheck: false, placeholder: example, autocomplete: "off",
    });
    this._file = element("input", { type: "file", id: `${this.kind}-file` });
    this._status = element("p", { className: "reading", role: "status", hidden: true });
    this._problem = element("p", { className: "problem", role: "alert", hidden: true });
    this._column = element("input", { maxLength: 1000, autocomplete: "off" });
    this._ask = element("label", { className: "ask", hidden: true },
      "Column that holds the structures ", this._column);
    const drop = element("div", { className: "drop" },
      element("label", { htmlFor: id }, "Paste the table here"), this._text,
      element("div", { className: "or" },
        element("label", { htmlFor: this._file.id }, "or choose a file, or drop one here"), this._file));
    place.append(drop, this._status, this._problem, this._ask);

    this._text.addEventListener("input", () => {
      this._file.value = "";
      clearTimeout(this._timer);
      this._timer = setTimeout(() => this._takeTyped(), AFTER_TYPING);
    });
    this._file.addEventListener("change", () => this._takeFile(this._file.files[0]));
    this._column.addEventListener("change", () => this.choose({ smiles_column: this._column.value }));
    drop.addEventListener("dragover", (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
    drop.addEventListener("dragleave", () => drop.classList.remove("over"));
    drop.addEventListener("drop", (event) => {
      event.preventDefault();
      drop.classList.remove("over");
      const file = event.dataTransfer.files[0];
      if (!file) {
        this._text.value = event.dataTransfer.getData("text");
        this._takeTyped();
        return;
      }
      this._file.files = event.dataTransfer.files;
      this._takeFile(file);
    });
  }

  // Ends when all that was typed, chosen or dropped has been read.
  async settled() {
    if (this._timer) this._takeTyped();
    for (let reading = null; reading !== this._reading;) {
      reading = this._reading;
      await reading;
    }
  }

  _takeTyped() {
    this._forgetTyping();
    this._take(this._text.value, "");
  }

  _forgetTyping() {
    clearTimeout(this._timer);
    this._timer = null;
  }

  _takeFile(file) {
    if (!file) return;
    this._forgetTyping();
    this._text.value = "";
    this._take(file, file.name);
  }

  _take(content, name) {
    this.choices = {};
    this._ask.hidden = true;
    this._column.value = "";
    this._content = content;
    this._name = name;
    this.choose({});
  }

  // Reads the table again, with what the user chose.
  choose(choices) {
    this._reading = this._look(choices);
  }

  async _look(choices) {
    this._pending?.abort();
    this.choices = { ...this.choices, ...choices };
    const content = this._content;
    const size = content instanceof Blob ? content.size : content.trim().length;
    const name = this._name.slice(-200) || "your table";
    if (!size && !this._name) return this._settle(null, "");
    if (size > this.limit) {
      const most = (this.limit / 2 ** 20).toPrecision(2);
      return this._settle(null, `${name} is larger than ${most} MB, the most that this page takes.`);
    }
    this._pending = new AbortController();
    say(this._status, "Reading …");
    try {
      const read = await send(this.kind, content, { name, ...this.choices }, this._pending.signal);
      this._settle(read, read.problem ?? "");
    } catch (error) {
      if (error.name === "AbortError") return undefined;
      this._ask.hidden = !/columns? that holds? molecules|no column '/.test(error.message) && this._ask.hidden;
      this._settle(null, error.message);
    }
    return undefined;
  }

  _settle(read, problem) {
    this.read = read;
    say(this._problem, problem);
    say(this._status, read && !problem ? this._summary(read) : "");
    this._rows.replaceChildren(...(read ? this._details(read) : []));
    this._changed(this);
  }

  _details(read) {
    const rows = read.rows ?? read.problems;
    const remarks = rows.filter((row) => row.reason);
    const details = [];
    if (remarks.length) details.push(this._list(remarks, "with remarks", remarks.some((row) => !row.is_used)));
    if (read.rows?.length) details.push(this._list(rows, "as they were read", false));
    if (read.notes.length) {
      details.push(element("details", {}, element("summary", {}, counted(read.notes.length, "note")),
        element("ul", { className: "notes" }, ...read.notes.map((note) => element("li", {}, note)))));
    }
    return details;
  }

  _list(rows, what, open) {
    const withLabels = rows.some((row) => row.label);
    const titles = ["Row", "Structure", ...(withLabels ? ["Measured"] : []), "Remark"];
    const body = rows.slice(0, MOST_LISTED).map((row) =>
      element("tr", { className: row.is_used ? "" : "out" },
        element("th", { scope: "row" }, String(row.row)),
        element("td", {}, element("span", { className: "smiles" }, row.structure)),
        ...(withLabels ? [element("td", {}, row.label)] : []),
        element("td", {},
          row.is_used ? "" : element("strong", {}, `Not used: ${STATUS[row.status] ?? row.status}. `), row.reason)));
    const rest = rows.length - body.length;
    return element("details", { open },
      element("summary", {}, `${counted(rows.length, "row")} ${what}`),
      element("div", { className: "scroll", tabIndex: 0, role: "region", ariaLabel: `Rows ${what}` },
        element("table", {},
          element("thead", {}, element("tr", {}, ...titles.map((title) => element("th", { scope: "col" }, title)))),
          element("tbody", {}, ...body)),
        rest ? element("p", { className: "soft" }, `and ${counted(rest, "row")} more`) : ""));
  }
}
