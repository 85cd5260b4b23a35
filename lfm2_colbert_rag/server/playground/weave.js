// Words of the question and words of passages, lit together.

import { make, rove, tell } from "./dom.js";
import { cut, visible } from "./text.js";

const FAINTEST = 0.45; // of the strongest match: what is not drawn at all while nothing is pointed at

/**
 * The question, and what answers it, of one or several answers.
 *
 * @param {string} question
 * @param {string} language of the question, "" where it is not known.
 */
export class Weave {
  constructor(question, language) {
    this.question = question;
    this.language = language;
    this.links = []; // of a span of the question with pieces of a passage
    this.of = new Map(); // element → its links
    this.held = new Set(); // elements that stay lit
    this.lit = new Set(); // elements that are lit now
    this.strongest = 0;
  }

  /**
   * Draw a passage, with the words that answered.
   *
   * @param {Object} hit as the server sends it.
   * @param {string} place what the passage is called to those who hear it.
   * @returns {Array<Node>} its pieces.
   */
  passage(hit, place) {
    const links = (hit.evidence ?? []).map((one) => ({ ...one, place, pieces: [], asking: [] }));
    this.links.push(...links);
    for (const one of links) this.strongest = Math.max(this.strongest, one.strength);
    const spans = links.map((one) => one.passage);
    const window = hit.window ? [hit.window] : [];
    const pieces = cut(hit.text ?? hit.excerpt, [...spans, ...window]);
    const isOutside = (one) => hit.window && !one.spans.includes(spans.length);
    const drawn = pieces.map((one) => {
      const own = one.spans.filter((span) => span < links.length).map((span) => links[span]);
      const text = visible(one.text);
      if (!own.length) return isOutside(one) ? make("span", { class: "outside" }, text) : text;
      const element = make("mark", { class: isOutside(one) ? "outside" : null }, text);
      for (const link of own) link.pieces.push(element);
      this.of.set(element, own);
      return element;
    });
    return drawn;
  }

  /** Draw the question once all passages are there, and wait for what is pointed at. */
  finish(root) {
    this.root = root;
    const spans = this.links.map((one) => one.query);
    const words = cut(this.question, spans).map((one) => {
      if (!one.spans.length) return visible(one.text);
      const own = one.spans.map((span) => this.links[span]);
      const word = make(
        "span",
        { class: "word", role: "button", tabindex: -1, "aria-pressed": "false" },
        visible(one.text),
      );
      this.of.set(word, own);
      for (const link of own) link.asking.push(word);
      return word;
    });
    const line = make("p", {
      class: "question",
      dir: "auto",
      lang: this.language,
      role: "group",
      "aria-label": "Words of your question: arrows move, Enter holds, arrow down goes to passages",
    });
    line.append(...words);
    for (const one of this.of.keys()) this.#rest(one);
    this.#stops(line, ".word");
    for (const text of root.querySelectorAll(".text")) this.#stops(text, "mark");
    this.#listen(root, line);
    return line;
  }

  /** Listen wherever words are. */
  #listen(root, line) {
    for (const place of [line, root]) {
      place.addEventListener("pointerover", (event) => this.#light(event.target));
      place.addEventListener("pointerout", () => this.#light(null));
      place.addEventListener("focusin", (event) => {
        if (this.#light(event.target) && event.target.matches(":focus-visible")) {
          tell(this.#said(event.target));
        }
      });
      place.addEventListener("focusout", () => this.#light(null));
      place.addEventListener("click", (event) => {
        if (getSelection().isCollapsed) this.#hold(event.target); // else a text was selected
      });
      place.addEventListener("keydown", (event) => this.#key(event));
    }
  }

  #stops(root, which) {
    const all = [...root.querySelectorAll(which)];
    all.forEach((one, place) => (one.tabIndex = place ? -1 : 0));
    rove(root, () => all);
  }

  #key(event) {
    const links = this.of.get(event.target);
    if (event.key === "Escape") this.#release();
    if (!links) return;
    if (event.key === "Enter" || event.key === " ") this.#hold(event.target);
    else if (event.key === "ArrowDown") this.#go(links.flatMap((one) => one.pieces));
    else if (event.key === "ArrowUp") this.#go(strongestFirst(links).flatMap((one) => one.asking));
    else return;
    event.preventDefault();
  }

  #go(elements) {
    elements[0]?.focus();
  }

  /** Light what belongs to an element; or, of null, what is held. */
  #light(element) {
    const own = element === null ? null : this.of.get(element);
    const links = own ?? [...this.held].flatMap((one) => this.of.get(one));
    for (const one of this.lit) this.#rest(one);
    this.lit.clear();
    this.root.classList.toggle("weaving", links.length > 0);
    this.line?.classList.toggle("weaving", links.length > 0);
    for (const link of links) {
      for (const one of [...link.pieces, ...link.asking]) {
        const before = this.lit.has(one) ? Number(one.dataset.strength) : 0;
        one.classList.add("lit");
        this.lit.add(one);
        this.#strength(one, Math.max(before, link.strength));
      }
    }
    return own;
  }

  /** Let an element be as it is while nothing is pointed at. */
  #rest(element) {
    element.classList.remove("lit");
    this.#strength(element, Math.max(...this.of.get(element).map((one) => one.strength)));
  }

  #strength(element, strength) {
    const least = FAINTEST * this.strongest;
    const share = Math.max(0, strength - least) / (this.strongest - least || 1);
    element.dataset.strength = strength.toFixed(3);
    element.style.setProperty("--strength", share.toFixed(3));
  }

  #hold(element) {
    if (!this.of.has(element)) return;
    if (this.held.has(element)) this.held.delete(element);
    else this.held.add(element);
    if (element.matches(".word")) element.setAttribute("aria-pressed", this.held.has(element));
    this.#light(element);
  }

  #release() {
    for (const one of this.held) if (one.matches(".word")) one.setAttribute("aria-pressed", false);
    this.held.clear();
    this.#light(null);
  }

  #said(element) {
    const links = this.of.get(element);
    const isWord = element.matches(".word");
    const told = (isWord ? links : strongestFirst(links)).slice(0, 3).map((one) => {
      const words = isWord ? `${one.place}: ${one.words[1]}` : one.words[0];
      return `${words}, ${Math.round(one.strength * 100)} percent`;
    });
    return `${element.textContent}: ${told.join("; ")}`;
  }
}

const strongestFirst = (links) => [...links].sort((a, b) => b.strength - a.strength);
