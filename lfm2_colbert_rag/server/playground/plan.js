// How a question is answered: what the server's plan tells.

import { make } from "./dom.js";
import { counted } from "./text.js";

const METHODS = {
  exact: "Every allowed vector is compared.",
  scan: "Every allowed vector is compared, decompressed.",
  votes: "Lists of like vectors vote first; what has most votes is compared.",
};

const FIGURES = [
  ["windows", "Windows allowed"],
  ["vectors", "Vectors they have"],
  ["voted", "Windows with most votes"],
  ["refined", "Looked at more closely"],
  ["scored", "Windows scored in full"],
  ["asked", "Parts of the question"],
  ["unread", "Characters left unread"],
];

const FUSION = [
  ["late", "Candidates by meaning"],
  ["lexical", "Candidates by words"],
  ["both", "By both"],
  ["trust", "Trust in words, 0 to 1"],
  ["weight", "Weight of words"],
  ["between", "Of it between languages"],
];

/**
 * Draw a plan.
 *
 * @param {Object} plan as the server sends it.
 * @returns {HTMLElement}
 */
export function drawPlan(plan) {
  const isQuiet = { voted: 0, refined: 0, unread: 0, asked: 1 };
  const shown = FIGURES.filter(([name]) => plan[name] !== isQuiet[name]);
  const rows = shown.map(([name, said]) => row(said, plan[name]));
  if (plan.query_adapter) rows.push(row("Question mapped", plan.query_adapter));
  const fusion = plan.fusion
    ? FUSION.filter(([name]) => plan.fusion[name] !== null).map(([name, said]) =>
        row(said, plan.fusion[name]),
      )
    : [];
  return make(
    "div",
    {},
    make("p", {}, METHODS[plan.method] ?? plan.method),
    make("dl", { class: "pairs" }, ...rows),
    fusion.length ? make("h3", {}, "Two ways, fused") : null,
    fusion.length ? make("dl", { class: "pairs" }, ...fusion) : null,
  );
}

function row(said, value) {
  const isRound = Number.isInteger(value) || typeof value !== "number";
  const shown = typeof value === "number" ? (isRound ? counted(value) : value.toFixed(2)) : value;
  return make("div", {}, make("dt", {}, said), make("dd", {}, String(shown)));
}
