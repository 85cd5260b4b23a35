// Texts of others: their characters, and what must not change how the page reads.

/**
 * Return where each code point of a text begins in UTF-16, and where the text ends: the server
 * counts code points, JavaScript counts units.
 *
 * @param {string} text
 * @returns {number[]}
 */
export function offsets(text) {
  const found = [];
  let at = 0;
  for (const point of text) {
    found.push(at);
    at += point.length;
  }
  found.push(at);
  return found;
}

/**
 * Cut a text wherever one of some spans begins or ends.
 *
 * @param {string} text
 * @param {Array<[number, number]>} spans in code points; they may overlap.
 * @returns {Array<{text: string, start: number, end: number, spans: number[]}>} the pieces, and
 *   which spans each belongs to.
 */
export function cut(text, spans) {
  const places = offsets(text);
  const length = places.length - 1;
  const edges = new Set([0, length]);
  const held = spans.map(([start, end]) => [Math.max(0, start), Math.min(length, end)]);
  for (const edge of held.flat()) edges.add(Math.min(Math.max(edge, 0), length));
  const sorted = [...edges].sort((a, b) => a - b);
  return sorted.slice(0, -1).map((start, place) => {
    const end = sorted[place + 1];
    const within = held.flatMap(([from, to], one) => (from <= start && end <= to ? [one] : []));
    return { text: text.slice(places[start], places[end]), start, end, spans: within };
  });
}

const NAMED = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u202d\u202e]/gu;
const NAMED_IN_NAMES = /[\u0000-\u001f\u007f-\u009f\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/gu;
const LONGEST = 300; // characters of a value
const named = (one) => `‹${one.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}›`;

/** Return a text with its invisible controls, and what turns all that follows around, named. */
export const visible = (text) => text.replace(NAMED, named);

/** Return a name or a value, of one line, with all that cannot be seen of it named. */
export const visibleName = (text) => String(text).replace(NAMED_IN_NAMES, named);

/** Return a value of metadata as it is shown, cut where it is long. */
export function shownValue(value) {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const points = [...text.slice(0, 2 * LONGEST + 2)];
  return visibleName(points.length > LONGEST ? `${points.slice(0, LONGEST).join("")}…` : text);
}

/** Return a language that metadata name, such as "de" or "zh-Hant", or "" for none. */
export function languageOf(metadata) {
  const said = metadata?.lang ?? metadata?.language;
  return typeof said === "string" && /^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$/.test(said) ? said : "";
}

/** Return a number with what separates thousands. */
export const counted = (number) => number.toLocaleString("en");

/** Return a number of things: "1 passage", "2 passages". */
export const things = (number, one) => `${counted(number)} ${one}${number === 1 ? "" : "s"}`;

/** Return milliseconds as they are shown. */
export const milliseconds = (value) => `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
