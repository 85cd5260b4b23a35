// A file dropped on the page becomes passages, block by block.

import { ask, NDJSON, pathOf, Problem } from "./api.js";
import { make, tell } from "./dom.js";
import { FileError, passagesOf } from "./files.js";
import { drawProblem } from "./problems.js";
import { things, visibleName } from "./text.js";

const LINES = 256; // of a block, as the server commits them
const BYTES = 1 << 20; // of a block, about
const TRIES = 5; // where the server is busy

/**
 * Draw where files are dropped.
 *
 * @param {HTMLElement} root gets it.
 * @param {function(): string} index names the index that is asked now.
 * @param {function(): void} added is called once something was added.
 */
export function drawIngest(root, index, added) {
  const input = make("input", { type: "file", id: "file", accept: ".ndjson,.jsonl,.txt,.md,.csv", class: "unseen" });
  const zone = make(
    "label",
    { class: "zone", for: "file" },
    make("strong", {}, "Drop a file here"),
    " or choose one",
    make(
      "span",
      { class: "hint" },
      "Lines of JSON (.ndjson, .jsonl), a passage a paragraph (.txt, .md), or rows with a column “text” (.csv)",
    ),
  );
  const state = make("div", { class: "progress" });
  root.replaceChildren(input, zone, state);
  let isBusy = false;

  const take = async (file) => {
    if (!file || isBusy) return;
    isBusy = true;
    try {
      await load(file, index(), state, added);
    } finally {
      isBusy = false;
      input.value = "";
    }
  };
  input.addEventListener("change", () => take(input.files[0]));
  // Wherever on the page it falls: the browser would leave the page to show the file.
  addEventListener("dragover", (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    zone.classList.add("over");
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) zone.classList.remove("over");
  });
  addEventListener("drop", (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    zone.classList.remove("over");
    take(event.dataTransfer.files[0]);
  });
}

/** Send a file, and show how far it is. */
async function load(file, index, state, added) {
  const so = { added: 0, isWanted: true };
  const bar = make("progress", { max: Math.max(file.size, 1), value: 0, "aria-label": "Bytes sent" });
  const said = make("p", {}, "Reading…");
  const cancel = make("button", { type: "button", class: "quiet", click: () => (so.isWanted = false) }, "Cancel");
  const name = make("p", { class: "file" }, make("bdi", {}, visibleName(file.name)), ` → ${index}`);
  state.replaceChildren(name, bar, said, cancel);
  try {
    for await (const block of blocksOf(passagesOf(file))) {
      if (!so.isWanted) break;
      so.added += await send(index, block, () => so.isWanted);
      bar.value = block.read;
      said.textContent = `${things(so.added, "passage")} added`;
    }
    const done = so.isWanted ? "Done" : "Cancelled";
    if (so.isWanted) bar.value = bar.max;
    said.textContent = `${done}: ${things(so.added, "passage")} added.`;
    tell(said.textContent);
  } catch (error) {
    said.textContent = `Stopped: ${things(so.added, "passage")} added in whole blocks. ${staying(error)}`;
    state.append(drawProblem(told(error)));
    so.isPartly = isOfLines(error);
  }
  cancel.remove();
  if (so.added || so.isPartly) added();
}

const isOfLines = (error) => (error.errors ?? []).some((one) => /^lines? /.test(one.path));

/** Say what is there of a file that was not read to its end. */
function staying(error) {
  if (isOfLines(error)) return "So were those before the line that is wrong. Dropped again, they are skipped.";
  return error.status === 403 ? "" : "Dropped again, what is there is skipped.";
}

function told(error) {
  if (error.status === 403 && error.code === "forbidden") {
    error.detail = `${error.detail} Adding needs a key with the scope write.`;
  }
  return error instanceof FileError ? new Problem({ detail: error.message, code: "file" }) : error;
}

/** Yield passages in blocks, each with the lines of the file that they began at. */
async function* blocksOf(passages) {
  let block = { lines: [], places: [], size: 0, read: 0 };
  for await (const { json, line, read } of passages) {
    block.lines.push(json);
    block.places.push(line);
    block.size += json.length;
    block.read = read;
    if (block.lines.length < LINES && block.size < BYTES) continue;
    yield block;
    block = { lines: [], places: [], size: 0, read };
  }
  if (block.lines.length) yield block;
}

/** Send a block; once more where the server is busy. */
async function send(index, block, isWanted) {
  const path = pathOf(index, "/passages:stream");
  for (let tries = 1; ; tries += 1) {
    try {
      const { data } = await ask("POST", path, `${block.lines.join("\n")}\n`, { media: NDJSON });
      return data.added;
    } catch (error) {
      const isBusy = error.status === 429 || error.status === 503;
      if (!isBusy || tries === TRIES || !isWanted()) throw named(error, block.places);
      await new Promise((done) => setTimeout(done, 1000 * (error.retryAfter || 1)));
    }
  }
}

/** Name the lines as the file has them, not as the block has. */
function named(error, places) {
  for (const one of error.errors ?? []) {
    if (/^lines? /.test(one.path)) {
      one.path = one.path.replace(/\d+/g, (number) => places[Number(number) - 1] ?? places.at(-1));
    }
  }
  return error;
}
