// A filter, built of the fields that the index has, or written as JSON.

import { make } from "./dom.js";
import { visibleName } from "./text.js";

const TEXTS = [
  ["is", "$eq"],
  ["is not", "$ne"],
  ["contains", "$icontains"],
  ["is one of", "$in"],
  ["is none of", "$nin"],
];
const OPERATORS = {
  texts: TEXTS,
  numbers: [
    ["=", "$eq"],
    ["≠", "$ne"],
    ["≥", "$gte"],
    ["≤", "$lte"],
    [">", "$gt"],
    ["<", "$lt"],
    ["is one of", "$in"],
  ],
  "true or false": [["is", "$eq"]],
};
const ALWAYS = [
  ["is there", "exists"],
  ["is missing", "missing"],
];
const ID = { name: "$id", said: "id of the passage", kinds: ["texts"], examples: [] };

/**
 * The builder of filters.
 *
 * @param {HTMLElement} root gets it.
 * @param {function(): void} changed is called whenever the filter may be another.
 */
export class Filters {
  constructor(root, changed) {
    this.changed = changed;
    this.fields = [];
    this.rows = make("ul", { class: "conditions", "aria-label": "Conditions" });
    this.join = make(
      "select",
      { "aria-label": "How conditions are joined", change: changed },
      make("option", { value: "$and" }, "all of them"),
      make("option", { value: "$or" }, "any of them"),
    );
    this.raw = make("textarea", {
      "aria-label": "Filter as JSON",
      rows: 4,
      spellcheck: "false",
      dir: "ltr",
      placeholder: '{"year": {"$gte": 2024}}',
      hidden: true,
      input: changed,
    });
    this.switch = make("input", { type: "checkbox", change: () => this.#change() });
    this.add = make("button", { type: "button", class: "quiet", click: () => this.#row() }, "Add a condition");
    this.joined = make("label", { class: "joined", hidden: true }, "Passages match ", this.join);
    root.append(
      this.joined,
      this.rows,
      this.raw,
      make(
        "div",
        { class: "line" },
        this.add,
        make("label", { class: "check" }, this.switch, " Write it as JSON"),
      ),
    );
  }

  /** Know the fields of an index, and forget the conditions on those of another. */
  know(index) {
    const languages = Object.keys(index.languages).filter((one) => one !== "und");
    const language = { name: "$lang", said: "language, as told by the text", kinds: ["texts"] };
    this.fields = [...index.fields, { ...language, examples: languages }, ID];
    if (this.name !== index.name) {
      this.rows.replaceChildren();
      this.raw.value = "";
    }
    this.name = index.name;
    this.changed();
  }

  /** How many conditions there are. */
  get count() {
    return this.switch.checked ? Number(this.raw.value.trim() !== "") : this.#conditions().length;
  }

  /**
   * Return the filter, or null for none.
   *
   * @throws {SyntaxError} what was written is no JSON object.
   */
  get where() {
    if (this.switch.checked) return written(this.raw.value);
    const conditions = this.#conditions();
    if (conditions.length < 2) return conditions[0] ?? null;
    return { [this.join.value]: conditions };
  }

  #conditions() {
    return [...this.rows.children].map((row) => row.condition()).filter((one) => one !== null);
  }

  #change() {
    if (this.switch.checked) {
      const where = this.#conditions().length ? this.#built() : null;
      this.raw.value = where ? JSON.stringify(where, null, 1) : this.raw.value;
    }
    this.raw.hidden = !this.switch.checked;
    this.rows.hidden = this.add.hidden = this.switch.checked;
    this.#count();
  }

  #built() {
    const conditions = this.#conditions();
    return conditions.length < 2 ? conditions[0] : { [this.join.value]: conditions };
  }

  #count() {
    this.joined.hidden = this.switch.checked || this.rows.children.length < 2;
    this.changed();
  }

  #row() {
    const row = drawRow(this.fields, () => this.changed(), () => {
      row.remove();
      this.add.focus();
      this.#count();
    });
    this.rows.append(row);
    row.querySelector("select").focus();
    this.#count();
  }
}

function written(text) {
  if (text.trim() === "") return null;
  const found = JSON.parse(text);
  if (found === null || typeof found !== "object" || Array.isArray(found)) {
    throw new SyntaxError('A filter is an object, such as {"year": {"$gte": 2024}}.');
  }
  return found;
}

function drawRow(fields, changed, remove) {
  const names = fields.map((one, place) =>
    make("option", { value: place }, one.said ?? visibleName(one.name)),
  );
  const field = make("select", { "aria-label": "Field" }, ...names);
  const operator = make("select", { "aria-label": "Comparison" });
  const place = make("span", { class: "value" });
  const gone = make("button", { type: "button", class: "quiet", "aria-label": "Remove the condition" }, "×");
  const row = make("li", {}, field, operator, place, gone);
  const chosen = () => fields[Number(field.value)];
  const drawValue = () => {
    place.replaceChildren(...valueOf(chosen(), operator.value, changed));
    changed();
  };
  const drawOperators = () => {
    operator.replaceChildren(...operators(chosen()));
    drawValue();
  };
  field.addEventListener("change", drawOperators);
  operator.addEventListener("change", drawValue);
  gone.addEventListener("click", remove);
  row.condition = () => conditionOf(chosen(), operator.value, place.firstElementChild);
  drawOperators();
  return row;
}

function operators(field) {
  const kinds = field.kinds.filter((kind) => kind in OPERATORS);
  const typed = kinds.flatMap((kind) =>
    OPERATORS[kind].map(([said, name]) => {
      const of = kinds.length > 1 ? ` (${kind})` : "";
      return make("option", { value: `${kind}:${name}` }, said + of);
    }),
  );
  const always = field.name.startsWith("$") ? [] : ALWAYS;
  const none = field.kinds.includes("null") ? [["is null", "null"]] : [];
  return [...typed, ...[...none, ...always].map(([said, name]) => make("option", { value: name }, said))];
}

let lists = 0;

function valueOf(field, chosen, changed) {
  const [kind, operator] = chosen.split(":");
  if (operator === undefined) return [];
  if (kind === "true or false") {
    const options = ["true", "false"].map((one) => make("option", { value: one }, one));
    return [make("select", { "aria-label": "Value", change: changed }, ...options)];
  }
  const isList = operator === "$in" || operator === "$nin";
  const type = kind === "numbers" ? "number" : "string";
  const examples = field.examples.filter((one) => typeof one === type);
  const name = `examples-${(lists += 1)}`;
  const hint = isList ? "separated by commas" : String(examples[0] ?? "");
  const input = make("input", {
    "aria-label": isList ? "Values, separated by commas" : "Value",
    type: kind === "numbers" && !isList ? "number" : "text",
    step: "any",
    placeholder: hint,
    list: name,
    autocomplete: "off",
    dir: "auto",
    input: changed,
  });
  const options = examples.map((one) => make("option", { value: one }));
  return [input, make("datalist", { id: name }, ...options)];
}

/** Return what a row asks for, as the API takes it; null while it is not whole. */
function conditionOf(field, chosen, input) {
  const [kind, operator] = chosen.split(":");
  const asked = (value) => Object.fromEntries([[field.name, value]]);
  if (chosen === "exists") return asked({ $exists: true });
  if (chosen === "missing") return asked({ $exists: false });
  if (chosen === "null") return asked({ $eq: null });
  if (input === null || input.value.trim() === "") return null;
  const isList = operator === "$in" || operator === "$nin";
  const given = isList ? input.value.split(",").map((one) => one.trim()).filter(Boolean) : [input.value];
  const values = given.map((one) => typed(kind, one));
  if (!values.length || values.some(Number.isNaN)) return null;
  if (operator === "$eq") return asked(values[0]);
  return asked(Object.fromEntries([[operator, isList ? values : values[0]]]));
}

function typed(kind, text) {
  if (kind === "numbers") return Number(text);
  return kind === "true or false" ? text === "true" : text;
}
