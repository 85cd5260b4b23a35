// Answers: one, or those of several modes side by side.

import { make } from "./dom.js";
import { drawHits } from "./hits.js";
import { drawProblem } from "./problems.js";
import { milliseconds, things } from "./text.js";
import { Weave } from "./weave.js";

const HOW =
  "Point at a word to see what answered it. By keyboard: Tab, then arrows; Enter holds, Escape lets go.";

/**
 * Draw what was answered.
 *
 * @param {{query: string, language: string}} asked
 * @param {Array<{mode: string, hits?: Object[], problem?: Error}>} answers of each mode.
 * @param {HTMLElement} root gets it.
 */
export function drawAnswers(asked, answers, root) {
  const weave = new Weave(asked.query, asked.language);
  const isOne = answers.length === 1;
  const columns = answers.map((one) => column(one, answers, weave, isOne));
  const body = make("div", { class: isOne ? "one" : "columns" }, ...columns);
  const line = weave.finish(body);
  weave.line = line;
  const hasWords = line.querySelector(".word") !== null;
  root.replaceChildren(line, ...(hasWords ? [make("p", { class: "hint how" }, HOW)] : []), body);
}

function column(answer, answers, weave, isOne) {
  const title = make("h2", { class: isOne ? "unseen" : null }, isOne ? "Passages" : answer.mode);
  if (answer.problem) return make("div", { class: "column" }, title, drawProblem(answer.problem));
  const said = answer.hits.length
    ? drawHits(answer.hits, weave, elsewhere(answer, answers))
    : make("p", { class: "card nothing" }, "No passage matches. A filter may leave none.");
  return make("div", { class: "column" }, title, said);
}

/** Return at which place other modes have each passage. */
function elsewhere(answer, answers) {
  const found = new Map();
  for (const other of answers) {
    if (other === answer || !other.hits) continue;
    other.hits.forEach((hit, place) => {
      const said = `${other.mode} #${place + 1}`;
      found.set(hit.id, found.has(hit.id) ? `${found.get(hit.id)}, ${said}` : said);
    });
  }
  return found;
}

/** Say in a sentence what was found. */
export function summary(answers) {
  return answers
    .map((one) => {
      const of = answers.length > 1 ? `${one.mode}: ` : "";
      if (one.problem) return `${of}${one.problem.detail}`;
      return `${of}${things(one.hits.length, "passage")}`;
    })
    .join(". ");
}

const PARTS = [
  ["server", "Server: queue, search, evidence"],
  ["network", "On the way, there and back"],
  ["page", "This page, drawing"],
];

/**
 * Draw where the time went.
 *
 * @param {Array<{mode: string, took?: number, server?: number}>} answers
 * @param {number} drawing milliseconds that the page took.
 * @returns {HTMLElement}
 */
export function drawTimes(answers, drawing) {
  const known = answers.filter((one) => one.took !== undefined);
  const most = Math.max(...known.map((one) => one.took + drawing));
  const isOne = known.length === 1;
  const drawn = known.map((one) => {
    const values = [one.server, Math.max(0, one.took - one.server), drawing];
    const shown = values.map(milliseconds);
    const parts = make("span", {}, shown.join(" + "));
    const title = isOne ? null : make("h3", {}, one.mode, parts);
    return make("div", {}, title, stack(values, most), isOne ? legend(shown) : null);
  });
  return make("div", { class: "times" }, ...drawn, isOne ? null : legend([]));
}

function stack(values, most) {
  const bars = values.map((value, place) => {
    const bar = make("span", { class: `part ${PARTS[place][0]}` });
    bar.style.setProperty("--share", String(value / most));
    return bar;
  });
  return make("div", { class: "stack", "aria-hidden": "true" }, ...bars);
}

function legend(shown) {
  const rows = PARTS.map(([name, said], place) =>
    make(
      "div",
      {},
      make("dt", {}, make("span", { class: `dot ${name}`, "aria-hidden": "true" }), said),
      make("dd", {}, shown[place] ?? ""),
    ),
  );
  return make("dl", { class: "pairs" }, ...rows);
}
