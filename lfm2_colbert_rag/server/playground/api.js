// What is asked of the server, and its problems.

const KEY = "lfm2-colbert-key"; // in the storage of the tab, which ends with it
export const JSON_MEDIA = "application/json";
export const NDJSON = "application/x-ndjson";

/** Where the server is, without a slash at the end: also below a path of a proxy. */
export const BASE = new URL(".", document.baseURI).href.replace(/\/$/, "");

/** What went wrong, as the server told it or as can be told without it. */
export class Problem extends Error {
  constructor({ status = 0, code = "", detail = "", errors = [], id = "", retryAfter = 0 }) {
    super(detail);
    Object.assign(this, { status, code, detail, errors, id, retryAfter });
  }
}

let key = remembered();

function remembered() {
  try {
    return sessionStorage.getItem(KEY) ?? "";
  } catch {
    return "";
  }
}

/** Tell whether there is a key. */
export const hasKey = () => key !== "";

/** Use a key from now on; "" forgets it. */
export function useKey(text) {
  key = text;
  try {
    if (text) sessionStorage.setItem(KEY, text);
    else sessionStorage.removeItem(KEY);
  } catch {
    // No storage: the key is kept until the page is left.
  }
}

/** Return the path of an index, or of something of it. */
export const pathOf = (index, rest = "") => `v1/indexes/${encodeURIComponent(index)}${rest}`;

/**
 * Ask the server.
 *
 * @param {string} method of HTTP.
 * @param {string} path from where the server is.
 * @param {*} body a value that becomes JSON, or a string that is sent as it is.
 * @param {{signal?: AbortSignal, media?: string}} how
 * @returns {Promise<{data: *, took: number}>} the answer, and milliseconds until all of it was here.
 * @throws {Problem}
 */
export async function ask(method, path, body, { signal, media = JSON_MEDIA } = {}) {
  const began = performance.now();
  let answer;
  let text;
  try {
    answer = await fetch(`${BASE}/${path}`, asked(method, body, media, signal));
    text = await answer.text();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({
      code: "unreachable",
      detail: "The server cannot be reached. Does it still run?",
    });
  }
  const took = performance.now() - began;
  const data = parsed(text);
  if (!answer.ok || data === undefined) throw problemOf(answer, data);
  return { data, took };
}

function asked(method, body, media, signal) {
  const headers = { accept: JSON_MEDIA };
  if (isSendable(key)) headers.authorization = `Bearer ${key}`;
  if (body !== undefined) headers["content-type"] = media;
  const sent = typeof body === "string" || body === undefined ? body : JSON.stringify(body);
  const how = { cache: "no-store", redirect: "error", referrerPolicy: "no-referrer" };
  return { method, headers, body: sent, signal, ...how };
}

// A header takes no more than this; what else was typed is no key, and the server will say so.
const isSendable = (text) => /^[\x21-\x7e]+$/.test(text);

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text === "" ? null : undefined;
  }
}

function problemOf(answer, data) {
  const told = data ?? {};
  return new Problem({
    status: answer.status,
    code: told.code ?? "",
    detail: told.detail ?? `The answer has status ${answer.status}, and is not the server’s own.`,
    errors: told.errors ?? [],
    id: answer.headers.get("x-request-id") ?? "",
    retryAfter: Number(answer.headers.get("retry-after") ?? 0),
  });
}
