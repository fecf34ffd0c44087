// Elements of the page. Text goes in as text nodes, so that nothing of a user's is ever markup.

import { drawingAddress } from "./api.js";

export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== ""));
  return made;
}

export function say(place, text) {
  place.textContent = text;
  place.hidden = !text;
}

export const counted = (n, noun) => `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;
export const percent = (share) => `${Math.round(100 * share)}%`;

// The browser asks for a drawing when its place comes near the visible part of the page.
export function drawing(smiles, shares) {
  const image = element("img", {
    className: "drawing",
    loading: "lazy",
    width: 300,
    height: 225,
    alt: `Structure of ${smiles}`,
  });
  image.addEventListener("error", () =>
    image.replaceWith(element("span", { className: "drawing soft" }, "too large to draw")),
  );
  image.src = drawingAddress(smiles, shares);
  return image;
}

// As the statuses of rows are called for people.
export const STATUS = {
  ok: "",
  ok_changed: "changed",
  warn_domain: "unlike your compounds",
  abstained: "withheld",
  empty: "empty",
  not_smiles: "no SMILES",
  parse_error: "cannot be read",
  sanitize_error: "impossible structure",
  no_heavy_atoms: "no heavy atoms",
  too_large: "too large",
  unsupported_atom: "element not supported",
  wildcard_or_query: "no single compound",
  mixture: "mixture",
  reaction: "reaction",
  model_error: "no number",
  label_error: "no measurement",
  conflict: "contradiction",
};
