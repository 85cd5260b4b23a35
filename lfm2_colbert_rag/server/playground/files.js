// Files that people have, as lines of passages; each knows the line of the file that it began at.

/** A file that cannot be read as what its name says. */
export class FileError extends Error {}

/**
 * Yield the passages of a file.
 *
 * @param {File} file of lines of JSON, of paragraphs, or of rows with a head.
 * @returns {AsyncIterable<{json: string, line: number, read: number}>} each as a line of JSON, where
 *   it began, and how many bytes were read until there.
 * @throws {FileError}
 */
export function passagesOf(file) {
  const name = file.name.toLowerCase();
  if (/\.(ndjson|jsonl)$/.test(name)) return ofJsonLines(file);
  if (/\.(txt|md)$/.test(name)) return ofParagraphs(file);
  if (/\.csv$/.test(name)) return ofRows(file);
  throw new FileError("Files of these kinds can be dropped: .ndjson, .jsonl, .txt, .md, .csv.");
}

/** Yield the lines of a file as it is read. */
async function* linesOf(file) {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const reader = file.stream().getReader();
  let rest = "";
  let line = 0;
  let read = 0;
  try {
    for (let done = false; !done; ) {
      const part = await reader.read();
      done = part.done;
      read += part.value?.length ?? 0;
      const lines = (rest + decoder.decode(part.value, { stream: !done })).split(/\r?\n/);
      rest = done ? "" : lines.pop();
      for (const text of lines) yield { text, line: (line += 1), read };
    }
  } catch (error) {
    if (error instanceof TypeError) throw new FileError("The file is no UTF-8 text.");
    throw error;
  } finally {
    await reader.cancel();
  }
}

async function* ofJsonLines(file) {
  for await (const { text, line, read } of linesOf(file)) {
    if (text.trim()) yield { json: text, line, read };
  }
}

async function* ofParagraphs(file) {
  let held = [];
  let began = 0;
  let number = 0;
  let last = 0;
  const passage = () => ({
    json: JSON.stringify({
      id: `${file.name}#${(number += 1)}`,
      text: held.join("\n"),
      metadata: { source: file.name },
    }),
    line: began,
    read: last,
  });
  for await (const { text, line, read } of linesOf(file)) {
    last = read;
    if (text.trim()) {
      if (!held.length) began = line;
      held.push(text);
    } else if (held.length) {
      yield passage();
      held = [];
    }
  }
  if (held.length) yield passage();
}

async function* ofRows(file) {
  let names = null;
  let number = 0;
  for await (const { cells, line, read } of rowsOf(file)) {
    if (names === null) {
      names = cells.map((one) => one.trim());
      if (!names.includes("text")) throw new FileError("The first row must name a column “text”.");
      continue;
    }
    if (cells.every((one) => one.trim() === "")) continue;
    if (cells.length !== names.length) {
      throw new FileError(`Line ${line} has ${cells.length} cells, and the head ${names.length}.`);
    }
    number += 1;
    const entries = names.map((name, place) => [name, cells[place]]).filter(([, one]) => one !== "");
    const isOwn = ([name]) => name === "text" || name === "id";
    const own = { text: "", ...Object.fromEntries(entries.filter(isOwn)) };
    const others = entries.filter((one) => !isOwn(one) && one[0] !== "");
    const passage = { id: `${file.name}#${number}`, ...own, metadata: Object.fromEntries(others) };
    yield { json: JSON.stringify(passage), line, read };
  }
}

/** Yield the rows of RFC 4180: quoted cells hold commas, doubled quotes and ends of lines. */
async function* rowsOf(file) {
  let held = "";
  let began = 0;
  for await (const { text, line, read } of linesOf(file)) {
    if (!held) began = line;
    held = held ? `${held}\n${text}` : text;
    if ((held.match(/"/g) ?? []).length % 2) continue; // a quoted cell goes on
    yield { cells: cellsOf(held), line: began, read };
    held = "";
  }
  if (held) throw new FileError(`The quote of line ${began} does not end.`);
}

const CELL = /(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g;

function cellsOf(row) {
  const text = row.startsWith(",") ? `""${row}` : row;
  return [...text.matchAll(CELL)].map((one) => one[1]?.replaceAll('""', '"') ?? one[2]);
}
