"use strict";
(() => {
  const form = document.getElementById("filter");
  const body = document.querySelector("#ranked-table tbody");
  if (!form || !body) return;
  const rows = [...body.rows];
  const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
  const { words, far, known, order } = form.elements;
  const compare = {
    rank: (a, b) => a.dataset.rank - b.dataset.rank,
    similarity: (a, b) => b.dataset.similarity - a.dataset.similarity,
    name: (a, b) => a.dataset.name.localeCompare(b.dataset.name, undefined, { numeric: true }),
  };
  const show = () => {
    const wanted = words.value.trim().toLowerCase();
    for (const row of rows) {
      row.hidden =
        !texts.get(row).includes(wanted) ||
        (far.checked && row.hasAttribute("data-far")) ||
        (known.checked && row.hasAttribute("data-known"));
    }
    form.querySelector("output").value =
      `${rows.filter((row) => !row.hidden).length} of ${rows.length} shown`;
  };
  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  order.addEventListener("change", () => body.append(...rows.sort(compare[order.value])));
  form.hidden = false;
  show();
})();
