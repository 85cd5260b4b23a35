// The question as it stands on the page, and its answer in one of the modes.

import { ask, pathOf } from "./api.js";
import { at } from "./dom.js";

const MODES = ["late", "lexical", "hybrid"];

const chosenMode = () => document.querySelector("[name=mode]:checked").value;

/** Return the modes in which to ask; undefined is the index's own. */
export function modesNow() {
  const mode = chosenMode();
  return mode === "all" ? MODES : [mode || undefined];
}

/**
 * Return the body of a search.
 *
 * @param {import("./filters.js").Filters} filters
 * @throws {SyntaxError} the filter is no JSON object.
 */
export function bodyNow(filters) {
  const body = { query: at("question").value.trim(), k: Number(at("k").value) };
  const where = filters.where;
  const modes = modesNow();
  if (where !== null) body.where = where;
  if (modes.length === 1 && modes[0]) body.mode = modes[0];
  return body;
}

/**
 * Ask an index in one mode.
 *
 * @param {Object} index as the server describes it.
 * @param {Object} body of a search.
 * @param {AbortSignal} signal
 * @returns {Promise<Object>} the mode, with hits and times, or with the problem.
 */
export async function answer(index, body, signal) {
  const mode = body.mode ?? index.mode;
  try {
    const path = pathOf(index.name, "/search");
    const { data, took } = await ask("POST", path, { ...body, evidence: true }, { signal });
    return { mode, hits: data.results[0].hits, took, server: data.took_ms };
  } catch (problem) {
    return { mode, problem };
  }
}
