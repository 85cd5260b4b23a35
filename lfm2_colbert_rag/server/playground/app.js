// The page: who asks, which index, what, and where the answers go.

import { drawAnswers, drawTimes, summary } from "./answers.js";
import { ask, hasKey, pathOf, useKey } from "./api.js";
import { answer, bodyNow, modesNow } from "./asking.js";
import { drawCopying } from "./copying.js";
import { at, fill, make, tell } from "./dom.js";
import { drawExamples, EXAMPLES } from "./examples.js";
import { Filters } from "./filters.js";
import { drawIngest } from "./ingest.js";
import { drawPlan } from "./plan.js";
import { drawProblem } from "./problems.js";
import { drawThemeSwitch } from "./switch.js";
import { counted, things, visibleName } from "./text.js";

const page = {
  index: null, // as the server describes it
  asked: null, // the last question: query, language, body
  answers: [],
  running: null, // what stops the search that runs
  paths: undefined, // that the server answers, once that is known
  chosen: Promise.resolve(), // until the index that was chosen is described
};

const showSnippets = drawCopying(at("copy-body"));
const filters = new Filters(at("filter-body"), refresh);

/** Show one of the states of the page. */
function show(...names) {
  for (const one of ["connect", "begin", "desk"]) at(one).hidden = !names.includes(one);
  at("place").hidden = !names.includes("desk");
  at("forget").hidden = !hasKey();
}

function showProblem(error) {
  fill(at("problems"), drawProblem(error));
}

/** Ask which indexes there are, with the key that there is. */
async function connect(wanted) {
  fill(at("problems"));
  if (!hasKey()) return disconnect();
  try {
    const { data } = await ask("GET", "v1/indexes");
    const names = data.indexes.map((one) => one.name);
    fill(at("index"), ...names.map((name) => make("option", { value: name }, name)));
    if (!names.length) return show("begin");
    at("index").value = names.includes(wanted) ? wanted : names[0];
    await choose();
    await learnPaths();
  } catch (error) {
    if (error.status === 401) useKey("");
    show(hasKey() ? "" : "connect");
    showProblem(error);
    if (hasKey()) at("problems").append(make("button", { type: "button", click: () => connect() }, "Try again"));
  }
}

/** Learn which APIs the server speaks; without that, all are shown. */
async function learnPaths() {
  const told = await ask("GET", "openapi.json").catch(() => null);
  page.paths = told && Object.keys(told.data.paths);
  refresh();
}

function disconnect() {
  useKey("");
  page.running?.abort();
  Object.assign(page, { index: null, asked: null, answers: [] });
  fill(at("results"));
  at("time").hidden = true;
  show("connect");
  at("key").focus();
}

/** Learn what the chosen index holds; questions wait until then. */
function choose() {
  page.chosen = chooseNow();
  return page.chosen;
}

async function chooseNow() {
  if (!(await describe())) return;
  const isAnother = page.asked && page.asked.index !== page.index.name;
  if (isAnother) {
    page.asked = null;
    page.answers = [];
    fill(at("results"));
    at("time").hidden = true;
  }
  if (!page.index.passages) fill(at("results"), emptyIndex());
  refresh();
}

/** Describe the chosen index; tell whether it still is the chosen one. */
async function describe() {
  const name = at("index").value;
  const { data } = await ask("GET", pathOf(name));
  if (name !== at("index").value) return false;
  page.index = data;
  show("desk");
  document.title = `${data.name} · Playground · LFM2-ColBERT`;
  const languages = Object.keys(data.languages).length;
  const known = languages ? ` · ${things(languages, "language")}` : "";
  at("facts").textContent = `${things(data.passages, "passage")}${known} · ${visibleName(data.model)}`;
  at("own-mode").textContent = `The index’s (${data.mode})`;
  filters.know(data);
  return true;
}

const emptyIndex = () =>
  make("p", { class: "card nothing" }, "This index has no passages yet. Drop a file on the page to add some.");

/** Have what depends on the question and its options follow them. */
function refresh() {
  const count = filters?.count ?? 0;
  at("filter-count").hidden = count === 0;
  at("filter-count").textContent = counted(count);
  if (!page.index) return;
  let body;
  try {
    body = bodyNow(filters);
  } catch {
    return; // a filter that is not whole
  }
  body.query ||= EXAMPLES[1][2];
  const texts = (page.answers.find((one) => one.hits?.length)?.hits ?? []).map((one) => one.text);
  showSnippets({ index: page.index.name, body, texts, paths: page.paths });
}

/** Ask the question as it stands. */
async function search() {
  let body;
  fill(at("problems"));
  try {
    await page.chosen;
    body = bodyNow(filters);
  } catch (error) {
    if (!(error instanceof SyntaxError)) return showProblem(error);
    at("filter").open = true;
    return showProblem({ code: "filter", detail: `The filter is no JSON: ${error.message}` });
  }
  if (!body.query || !page.index) return;
  page.running?.abort();
  const running = (page.running = new AbortController());
  at("results").setAttribute("aria-busy", "true");
  const { index } = page;
  const answers = await Promise.all(
    modesNow().map((mode) => answer(index, { ...body, mode }, running.signal)),
  );
  if (running.signal.aborted) return;
  page.asked = { ...body, index: index.name, language: at("question").lang };
  page.answers = answers;
  draw();
}

function draw() {
  const began = performance.now();
  const [first] = page.answers;
  if (page.answers.length === 1 && first.problem) fill(at("results"), drawProblem(first.problem));
  else drawAnswers(page.asked, page.answers, at("results"));
  at("results").getBoundingClientRect(); // so that what is measured includes the layout
  const drawing = performance.now() - began;
  at("results").setAttribute("aria-busy", "false");
  at("time").hidden = !page.answers.some((one) => one.took !== undefined);
  fill(at("time-body"), drawTimes(page.answers, drawing));
  tell(summary(page.answers));
  refresh();
  plan();
}

/** Show how the last question is answered, where somebody looks. */
async function plan() {
  if (!at("plan").open || !page.asked) return;
  const { query, k, where, mode } = page.asked;
  try {
    const { data } = await ask("POST", pathOf(page.asked.index, "/plan"), { query, k, where, mode });
    fill(at("plan-body"), drawPlan(data));
  } catch (error) {
    fill(at("plan-body"), drawProblem(error));
  }
}

async function makeIndex() {
  fill(at("problems"));
  try {
    const { data } = await ask("POST", "v1/indexes", { name: at("new-name").value });
    await connect(data.name);
  } catch (error) {
    showProblem(error);
  }
}

/** Have a form do something instead of being sent. */
function onSubmit(form, act) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act();
  });
}

function listen() {
  onSubmit(at("connect"), () => {
    useKey(at("key").value.trim());
    at("key").value = "";
    connect();
  });
  onSubmit(at("ask"), search);
  onSubmit(at("make"), makeIndex);
  at("again").addEventListener("click", () => connect());
  at("forget").addEventListener("click", () => {
    fill(at("problems"));
    disconnect();
  });
  at("index").addEventListener("change", () => choose().catch(showProblem));
  at("question").addEventListener("keydown", (event) => {
    // While an input method composes, Enter is for that.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    at("ask").requestSubmit();
  });
  at("question").addEventListener("input", () => {
    at("question").lang = ""; // no longer an example
    refresh();
  });
  at("k").addEventListener("input", refresh);
  at("modes").addEventListener("change", () => {
    refresh();
    if (page.asked) at("ask").requestSubmit();
  });
  at("plan").addEventListener("toggle", plan);
}

drawThemeSwitch(at("theme"));
drawExamples(at("examples"), (question, lang) => {
  at("question").value = question;
  at("question").lang = lang;
  search();
});
drawIngest(at("ingest-body"), () => at("index").value, () => describe().then(addedSome, showProblem));
listen();
connect();

function addedSome() {
  if (!page.asked) fill(at("results"));
  refresh();
}
