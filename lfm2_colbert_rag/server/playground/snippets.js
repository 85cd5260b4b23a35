// The same question from a program. The key is never in it: each reads it from the environment.

import { BASE, pathOf } from "./api.js";

export const VARIABLE = "LFM2_COLBERT_KEY";

// What would make code read otherwise than it runs.
const UNSEEN = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
const escaped = (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** Write a value as JSON in which everything can be seen. */
const json = (value) => JSON.stringify(value).replace(UNSEEN, escaped);

/** Write a text, or a filter, as Python: JSON strings are Python strings, too. */
function python(value) {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(python).join(", ")}]`;
  if (typeof value === "object") {
    const entries = Object.entries(value).map(([name, one]) => `${json(name)}: ${python(one)}`);
    return `{${entries.join(", ")}}`;
  }
  return json(value);
}

/** Write a text as one word of a POSIX shell. */
const word = (text) => `'${text.replaceAll("'", "'\\''")}'`;

const named = (given) =>
  Object.entries(given)
    .filter(([, value]) => value !== undefined && value !== null)
    .map(([name, value]) => `${name}=${python(value)}`)
    .join(", ");

function curl({ index, body }) {
  return [
    `curl -sS ${word(`${BASE}/${pathOf(index, "/search")}`)} \\`,
    `  -H "Authorization: Bearer $${VARIABLE}" \\`,
    `  -H "Content-Type: application/json" \\`,
    `  -d ${word(json(body))}`,
  ].join("\n");
}

function client({ index, body }) {
  const how = named({ where: body.where, mode: body.mode });
  return [
    'import os  # pip install "lfm2-colbert-rag[client]"',
    "",
    "from lfm2_colbert_rag import Client",
    "",
    `client = Client(${json(BASE)}, os.environ["${VARIABLE}"], index=${json(index)})`,
    `hits = client.search(${json(body.query)}, k=${body.k}${how ? `, ${how}` : ""})`,
    "for hit in hits:",
    "    print(hit.id, round(hit.relevance, 2), hit.text)",
  ].join("\n");
}

function langChain({ index, body }) {
  const how = named({ k: body.k, where: body.where, mode: body.mode });
  return [
    'import os  # pip install langchain-lfm2-colbert "lfm2-colbert-rag[client]"',
    "",
    "from langchain_lfm2_colbert import LFM2ColBERTRetriever",
    "",
    "retriever = LFM2ColBERTRetriever.connect(",
    `    ${json(BASE)}, os.environ["${VARIABLE}"], index=${json(index)}, ${how}`,
    ")",
    `for document in retriever.invoke(${json(body.query)}):`,
    "    print(document.id, document.page_content)",
  ].join("\n");
}

function llamaIndex({ index, body }) {
  const how = named({ similarity_top_k: body.k, where: body.where, mode: body.mode });
  return [
    'import os  # pip install llama-index-retrievers-lfm2-colbert "lfm2-colbert-rag[client]"',
    "",
    "from llama_index.retrievers.lfm2_colbert import LFM2ColBERTRetriever",
    "",
    "retriever = LFM2ColBERTRetriever.connect(",
    `    ${json(BASE)}, os.environ["${VARIABLE}"], index=${json(index)}, ${how}`,
    ")",
    `for found in retriever.retrieve(${json(body.query)}):`,
    "    print(found.node.node_id, found.get_content())",
  ].join("\n");
}

function cohere({ index, body, texts }) {
  const documents = texts.length ? texts : ["The first text.", "Another one."];
  return [
    "import os  # pip install cohere",
    "",
    "import cohere",
    "",
    "documents = [",
    ...documents.map((text) => `    ${json(text)},`),
    "]",
    `client = cohere.ClientV2(os.environ["${VARIABLE}"], base_url=${json(BASE)})`,
    "answer = client.rerank(",
    `    model=${json(index)}, query=${json(body.query)}, documents=documents, top_n=${body.k}`,
    ")",
    "for one in answer.results:",
    "    print(round(one.relevance_score, 2), documents[one.index])",
  ].join("\n");
}

/** Each way of asking by its name; a function of the index's name, a search's body, and texts. */
export const SNIPPETS = { curl, Python: client, LangChain: langChain, LlamaIndex: llamaIndex, Cohere: cohere };
