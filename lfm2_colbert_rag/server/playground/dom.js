// Elements, made of texts and never of markup.

/**
 * Make an element.
 *
 * @param {string} name of the element.
 * @param {Object} given attributes; a function is a listener, null and false leave one out.
 * @param {...(Node|string|null)} inner children; strings become text.
 * @returns {HTMLElement}
 */
export function make(name, given = {}, ...inner) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(given)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(key, value);
    else if (key === "class") element.className = value;
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(...inner.filter((one) => one !== null && one !== undefined));
  return element;
}

/** Return the element of the page that has an id. */
export const at = (id) => document.getElementById(id);

/** Put something in the place of all that an element holds. */
export function fill(element, ...inner) {
  element.replaceChildren(...inner.filter((one) => one !== null && one !== undefined));
}

/** Tell those who hear the page, not see it. */
export function tell(text) {
  const told = at("told");
  told.textContent = told.textContent === text ? `${text}\u00a0` : text;
}

/**
 * Move the one stop of the Tab key among some elements by arrow keys.
 *
 * @param {HTMLElement} root holds them.
 * @param {function(): HTMLElement[]} stops gives them in their order.
 */
export function rove(root, stops) {
  root.addEventListener("keydown", (event) => {
    const all = stops();
    const now = all.indexOf(event.target);
    const next = now < 0 ? -1 : nextStop(event.key, now, all.length, isRightToLeft(root));
    if (next < 0) return;
    event.preventDefault();
    for (const one of all) one.tabIndex = -1;
    all[next].tabIndex = 0;
    all[next].focus();
  });
}

function nextStop(key, now, count, isReversed) {
  const forward = isReversed ? "ArrowLeft" : "ArrowRight";
  const backward = isReversed ? "ArrowRight" : "ArrowLeft";
  if (key === forward) return Math.min(now + 1, count - 1);
  if (key === backward) return Math.max(now - 1, 0);
  if (key === "Home") return 0;
  if (key === "End") return count - 1;
  return -1;
}

const isRightToLeft = (element) => getComputedStyle(element).direction === "rtl";

/** Copy a text, also where the page is not a secure one; tell whether that was possible. */
export async function copy(text, shown) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    getSelection().selectAllChildren(shown);
    return document.execCommand("copy");
  }
}
