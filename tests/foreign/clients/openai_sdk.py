"""OpenAI's SDK, with indexes as vector stores."""

from openai import OpenAI


def connect(url, key, seconds):
    return OpenAI(base_url=f"{url}/v1", api_key=key, timeout=seconds, max_retries=1)


def ask(client, query, k, filters=None):
    given = {} if filters is None else {"filters": filters}
    found = client.vector_stores.search("docs", query=query, max_num_results=k, **given)
    return [[one.file_id, one.score, one.content[0].text, one.attributes] for one in found.data]
