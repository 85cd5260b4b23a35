"""OpenAI's SDK: what there is."""

from openai import OpenAI


def connect(url, key, seconds):
    return OpenAI(base_url=f"{url}/v1", api_key=key, timeout=seconds)


def ask(client):
    return {
        "models": [one.id for one in client.models.list()],
        "model": client.models.retrieve("docs").id,
        "stores": [one.id for one in client.vector_stores.list()],
        "files": client.vector_stores.retrieve("docs").file_counts.total,
    }
