// Calls of the JSON API; a refusal becomes an Error whose message is a sentence for the user.

const UNREACHABLE = "The server does not answer. Was the window that molmeta was started from closed?";

async function call(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error(UNREACHABLE, { cause: error });
  }
  if (answer.status === 204) return null;
  const body = await answer.json().catch(() => ({}));
  if (answer.ok) return body;
  throw new Error(typeof body.detail === "string" ? body.detail : "This was not understood.");
}

export function query(path, values) {
  const given = Object.entries(values).filter(([, value]) => value);
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
}

export const about = () => call("api/about");

export const send = (kind, content, choices, signal) =>
  call(query(`api/${kind}`, choices), { method: "POST", body: content, signal });

export const start = (wanted) =>
  call("api/runs", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(wanted),
  });

export const state = (run) => call(`api/runs/${run}`);
export const stop = (run) => call(`api/runs/${run}`, { method: "DELETE" });
export const compounds = (run, view) => call(query(`api/runs/${run}/compounds`, view));
export const explanation = (run, row) => call(`api/runs/${run}/compounds/${row}`);
export const tableAddress = (run, format, view) => query(`api/runs/${run}/table.${format}`, view);
export const drawingAddress = (smiles, shares) =>
  query("api/drawing", { smiles, shares: shares?.map((share) => share.toPrecision(3)).join(",") });
