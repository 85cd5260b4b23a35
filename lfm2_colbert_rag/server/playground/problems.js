// Problems, as they are shown.

import { make, tell } from "./dom.js";
import { visibleName } from "./text.js";

const HINTS = {
  unauthorized: "Check the key: it may be mistyped, revoked or expired. “Forget key” takes another.",
  "tenant-required": "Passages here belong to tenants: use a key or a token that names one.",
  "rate-limited": "Wait a moment, then ask again.",
  overloaded: "Wait a moment, then ask again.",
  starting: "Wait a moment, then ask again.",
  unreachable: "Start it again with lfm2-colbert serve, then ask again: nothing here is lost.",
};

/**
 * Draw a problem.
 *
 * @param {import("./api.js").Problem|Error} problem
 * @returns {HTMLElement}
 */
export function drawProblem(problem) {
  if (problem.code === undefined) console.error(problem);
  const said = problem.detail || problem.message || "Something failed.";
  const where = (problem.errors ?? []).map((one) =>
    make("li", {}, make("code", {}, visibleName(one.path)), ` ${visibleName(one.problem)}`),
  );
  tell(`Problem: ${said}`);
  const status = problem.status ? `${problem.status} ` : "";
  return make(
    "div",
    { class: "problem", role: "group", "aria-label": "Problem" },
    make("p", { class: "said" }, visibleName(said)),
    where.length ? make("ul", {}, ...where) : null,
    HINTS[problem.code] ? make("p", {}, HINTS[problem.code]) : null,
    problem.id || status
      ? make("p", { class: "hint" }, `${status}${problem.code ?? ""}`, ...requestId(problem.id))
      : null,
  );
}

const requestId = (id) => (id ? [" · request ", make("code", {}, visibleName(id))] : []);
