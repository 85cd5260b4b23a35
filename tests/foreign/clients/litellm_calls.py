"""LiteLLM's rerank, by the provider that a program names."""

import litellm

# Or it asks huggingface.co for a tokenizer, to count tokens that nobody pays for.
litellm.disable_hf_tokenizer_download = True


def rerank(client, provider, path, query, documents, top_n, more):
    url, key, seconds = client
    given = more if top_n is None else more | {"top_n": top_n}
    answer = litellm.rerank(
        model=f"{provider}/docs",
        query=query,
        documents=documents,
        api_base=f"{url}{path}",
        api_key=key,
        timeout=seconds,
        **given,
    )
    return [[one["index"], one["relevance_score"], one.get("document")] for one in answer.results]


def search(client, provider, path, query, k, filters):
    url, key, seconds = client
    found = litellm.vector_stores.search(
        vector_store_id="docs",
        query=query,
        max_num_results=k,
        filters=filters,
        custom_llm_provider=provider,
        api_base=f"{url}{path}",
        api_key=key,
        timeout=seconds,
    )
    return [
        [one["file_id"], one["score"], one["content"][0]["text"], one["attributes"]]
        for one in found["data"]
    ]
