// Passages that were found.

import { make } from "./dom.js";
import { languageOf, shownValue, things, visibleName } from "./text.js";

const LONG = 1200; // characters, beyond which a passage is folded around what was found
const ROUND = 160; // characters that are shown before and after it

/**
 * Draw the hits of one answer.
 *
 * @param {Object[]} hits as the server sends them.
 * @param {import("./weave.js").Weave} weave lights their words.
 * @param {Map<string, string>} elsewhere what other modes say of an id.
 * @returns {HTMLElement}
 */
export function drawHits(hits, weave, elsewhere = new Map()) {
  const drawn = hits.map((hit, place) => drawHit(hit, place + 1, weave, elsewhere.get(hit.id)));
  return make("ol", { class: "hits" }, ...drawn);
}

function drawHit(hit, rank, weave, elsewhere) {
  const language = languageOf(hit.metadata);
  const text = make("p", { class: "text", dir: "auto", lang: language });
  text.append(...weave.passage(hit, `passage ${rank}`));
  const body = make("div", { class: "passage" }, text);
  if (hit.text !== undefined && [...hit.text].length > LONG) fold(body, text);
  return make(
    "li",
    {},
    make(
      "article",
      { class: "hit", "aria-label": `Passage ${rank}` },
      make(
        "header",
        {},
        make("span", { class: "rank", "aria-hidden": "true" }, String(rank)),
        make("h3", { class: "id" }, make("bdi", { title: visibleName(hit.id) }, visibleName(hit.id))),
        relevance(hit.relevance),
      ),
      body,
      make("footer", {}, metadata(hit.metadata), legs(hit, elsewhere)),
      words(hit, language, weave.language),
    ),
  );
}

function relevance(value) {
  const bar = make("span", { class: "fill" });
  bar.style.setProperty("--share", String(value));
  const shown = value.toFixed(2);
  return make(
    "span",
    { class: "relevance", title: "Relevance: 0 is chance, 1 as good as can be" },
    make(
      "span",
      {
        class: "bar",
        role: "meter",
        "aria-label": "Relevance",
        "aria-valuemin": 0,
        "aria-valuemax": 1,
        "aria-valuenow": shown,
      },
      bar,
    ),
    make("span", { class: "value" }, shown),
  );
}

function metadata(held) {
  const entries = Object.entries(held ?? {});
  const drawn = entries.map(([name, value]) =>
    make(
      "div",
      {},
      make("dt", {}, make("bdi", {}, visibleName(name))),
      make("dd", {}, make("bdi", {}, shownValue(value))),
    ),
  );
  return entries.length ? make("dl", { class: "metadata" }, ...drawn) : null;
}

function legs(hit, elsewhere) {
  const drawn = Object.entries(hit.legs).map(([name, leg]) => {
    const rank = leg.rank === null ? "not found" : `#${leg.rank}`;
    const score = leg.rank === null ? "" : ` ${leg.score.toFixed(2)}`;
    return make("span", { class: leg.rank === null ? "leg none" : "leg" }, `${name} ${rank}${score}`);
  });
  const score = make("span", { class: "leg" }, `score ${hit.score.toFixed(2)}`);
  const both = Object.keys(hit.legs).length > 1 ? [score] : [];
  const also = elsewhere ? make("span", { class: "leg also" }, `also ${elsewhere}`) : null;
  return make("p", { class: "legs" }, ...both, ...drawn, also);
}

/** Make a table of what answered what, for those who hear the page and those who want numbers. */
function words(hit, language, asked) {
  const evidence = [...(hit.evidence ?? [])].sort((a, b) => b.strength - a.strength);
  if (!evidence.length) return null;
  const details = make(
    "details",
    { class: "words" },
    make("summary", {}, things(evidence.length, "word"), " that matched"),
  );
  details.addEventListener("toggle", () => {
    if (!details.open || details.querySelector("table")) return;
    const rows = evidence.map((one) =>
      make(
        "tr",
        {},
        make("td", { dir: "auto", lang: asked }, visibleName(one.words[0])),
        make("td", { dir: "auto", lang: language }, visibleName(one.words[1])),
        make("td", {}, one.strength.toFixed(2)),
      ),
    );
    const heads = ["Question", "Passage", "Strength"].map((one) => make("th", { scope: "col" }, one));
    details.append(
      make("table", {}, make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...rows)),
    );
  });
  return details;
}

/** Show of a long passage what lies around the window that was found, until all is asked for. */
function fold(body, text) {
  const nodes = [...text.childNodes];
  const isOutside = (node) => node.nodeType === 1 && node.classList.contains("outside");
  const hasWindow = nodes.some(isOutside);
  const all = nodes.map((node) => [node, node.textContent]);
  let left = hasWindow ? Infinity : LONG;
  nodes.forEach((node, place) => {
    const length = node.textContent.length;
    if (hasWindow && isOutside(node)) shorten(node, nodes, place, isOutside);
    else if (left < length) node.textContent = left > 0 ? `${clipped(node.textContent, 0, left)}…` : "";
    left -= length;
  });
  const more = make("button", { type: "button", class: "quiet more" }, "Show the whole passage");
  more.addEventListener("click", () => {
    for (const [node, before] of all) node.textContent = before;
    more.remove();
  });
  body.append(more);
}

function shorten(node, nodes, place, isOutside) {
  const text = node.textContent;
  const isBefore = nodes.slice(place + 1).some((one) => !isOutside(one));
  const next = nodes[place + (isBefore ? 1 : -1)];
  const isNear = next !== undefined && !isOutside(next);
  if (!isNear) node.textContent = "";
  else if (text.length > ROUND) {
    node.textContent = isBefore ? `…${clipped(text, text.length - ROUND)}` : `${clipped(text, 0, ROUND)}…`;
  }
}

/** Cut without leaving half a character. */
const clipped = (text, from, to) =>
  text.slice(from, to).replace(/^[\udc00-\udfff]|[\ud800-\udbff]$/g, "");
