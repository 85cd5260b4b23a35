"""Several questions at once: one pass through the model, and all else as if asked alone."""

from __future__ import annotations

import threading
from uuid import uuid4

import pytest
from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler
from langchain_core.runnables import ConfigurableField, RunnableLambda
from langchain_lfm2_colbert import LFM2ColBERTRetriever

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.errors import ConfigError, FilterError, InputError
from lfm2_colbert_rag.testing import HashEncoder

QUESTIONS = ["How do I reset the password?", "descale the machine", "warranty for broken parts"]
BEST = ["reset", "descale", "warranty"]


class Listener(BaseCallbackHandler):
    def __init__(self) -> None:
        self.events: list[tuple[str, object]] = []
        self.runs: dict[object, dict] = {}

    def on_retriever_start(self, serialized, query, *, run_id, name=None, **rest):
        self.events.append(("start", query))
        self.runs[run_id] = {"query": query, "name": name, **rest}

    def on_retriever_end(self, documents, *, run_id, **_):
        query = self.runs[run_id]["query"]
        self.events.append(("end", (query, [document.id for document in documents])))

    def on_retriever_error(self, error, *, run_id, **_):
        self.events.append(("error", (self.runs[run_id]["query"], type(error))))


class AsyncListener(AsyncCallbackHandler):
    def __init__(self) -> None:
        self.ended = 0

    async def on_retriever_end(self, *_, **__):
        self.ended += 1


class CountingEncoder(HashEncoder):
    def __init__(self) -> None:
        super().__init__()
        self.calls: list[list[str]] = []

    def encode_query(self, texts):
        self.calls.append(list(texts))
        return super().encode_query(texts)


@pytest.fixture(params=["batch", "abatch"])
def ask(request: pytest.FixtureRequest):
    async def call(retriever, questions, config=None, **options):
        if request.param == "batch":
            return retriever.batch(questions, config, **options)
        return await retriever.abatch(questions, config, **options)

    return call


def ids(answers) -> list[list[str]]:
    return [[document.id for document in documents] for documents in answers]


class TestAnswers:
    async def test_are_those_of_invoke(self, retriever, ask):
        assert await ask(retriever, QUESTIONS) == [retriever.invoke(q) for q in QUESTIONS]

    async def test_no_questions(self, retriever, ask):
        assert await ask(retriever, []) == []

    async def test_options_for_all(self, retriever, ask):
        found = await ask(retriever, QUESTIONS, k=1, where={"product": "coffee"})
        assert found == [retriever.invoke(q, k=1, where={"product": "coffee"}) for q in QUESTIONS]

    async def test_options_for_each(self, retriever, ask):
        wheres = [{"year": 2025}, {"year": 2025}, None]
        found = await ask(retriever, QUESTIONS, k=[1, 2, 1], where=wheres)
        expected = [
            retriever.invoke(question, k=k, where=where)
            for question, k, where in zip(QUESTIONS, [1, 2, 1], wheres, strict=True)
        ]
        assert found == expected
        assert [len(documents) for documents in found] == [1, 2, 1]

    async def test_a_list_of_another_length_is_refused(self, retriever, ask):
        with pytest.raises(ConfigError, match="k is a list of 2, but 3 questions"):
            await ask(retriever, QUESTIONS, k=[1, 2])

    async def test_bound_options_and_fields(self, documents, ask):
        retriever = LFM2ColBERTRetriever.from_documents(documents, model="hash", k=1)
        assert ids(await ask(retriever, QUESTIONS)) == [[best] for best in BEST]
        bound = retriever.bind(where={"product": "router"})
        assert ids(await ask(bound, QUESTIONS[:1])) == [["reset"]]

    async def test_configurable_fields_of_each(self, retriever, ask):
        configurable = retriever.configurable_fields(k=ConfigurableField(id="k"))
        configs = [{"configurable": {"k": k}} for k in (1, 2, 3)]
        found = await ask(configurable, QUESTIONS, configs)
        assert [len(documents) for documents in found] == [1, 2, 3]

    async def test_in_a_chain(self, retriever, ask):
        chain = retriever | RunnableLambda(lambda documents: documents[0].id)
        assert await ask(chain, QUESTIONS) == BEST


class TestOnePass:
    @pytest.fixture
    def encoder(self) -> CountingEncoder:
        return CountingEncoder()

    async def test_all_questions_are_encoded_together(self, encoder, ask):
        core = Retriever.from_texts(["one", "two"], model=encoder)
        await ask(LFM2ColBERTRetriever(retriever=core), QUESTIONS)
        assert encoder.calls == [QUESTIONS]

    async def test_also_where_their_options_differ(self, encoder, ask):
        core = Retriever.from_texts(["one", "two"], model=encoder)
        await ask(LFM2ColBERTRetriever(retriever=core), QUESTIONS, k=[1, 2, 1])
        assert encoder.calls[0] == QUESTIONS  # later calls are served by a real encoder's cache


class TestErrors:
    async def test_of_one_question_leave_the_others_alone(self, retriever, ask):
        questions = [QUESTIONS[0], None, QUESTIONS[1]]
        first, second, third = await ask(retriever, questions, return_exceptions=True, k=1)
        assert isinstance(second, InputError)
        assert ids([first, third]) == [["reset"], ["descale"]]

    async def test_are_raised_unless_wanted(self, retriever, ask):
        with pytest.raises(InputError, match="must be a string"):
            await ask(retriever, [QUESTIONS[0], None])

    async def test_of_options(self, retriever, ask):
        answers = await ask(
            retriever,
            QUESTIONS,
            where=[None, {"year": {"$almost": 1}}, None],
            return_exceptions=True,
        )
        assert [isinstance(answer, FilterError) for answer in answers] == [False, True, False]

    async def test_unknown_arguments_are_refused(self, retriever, ask):
        with pytest.raises(TypeError, match="top_k"):
            await ask(retriever, QUESTIONS, top_k=3)
        answers = await ask(retriever, QUESTIONS, top_k=3, return_exceptions=True)
        assert [type(answer) for answer in answers] == [TypeError] * 3


class TestCallbacks:
    async def test_every_question_is_a_run(self, retriever, ask):
        listener = Listener()
        await ask(retriever, QUESTIONS, {"callbacks": [listener]}, k=1)
        starts = [value for kind, value in listener.events if kind == "start"]
        ends = [value for kind, value in listener.events if kind == "end"]
        assert starts == QUESTIONS
        assert ends == [(question, [best]) for question, best in zip(QUESTIONS, BEST, strict=True)]

    async def test_async_handlers_hear_of_it(self, retriever):
        listener = AsyncListener()
        await retriever.abatch(QUESTIONS, {"callbacks": [listener]})
        assert listener.ended == 3

    async def test_each_has_its_own_config(self, documents, ask):
        retriever = LFM2ColBERTRetriever.from_documents(
            documents, model="hash", tags=["faq"], metadata={"team": "support"}
        )
        listeners, run_id = [Listener(), Listener()], uuid4()
        configs = [
            {"callbacks": [listeners[0]], "run_name": "first", "tags": ["a"], "run_id": run_id},
            {"callbacks": [listeners[1]], "metadata": {"user": 7}},
        ]
        await ask(retriever, QUESTIONS[:2], configs)
        (first,), (second,) = (listener.runs.values() for listener in listeners)
        assert list(listeners[0].runs) == [run_id]
        assert first["name"] == "first"
        assert set(first["tags"]) == {"a", "faq"}
        assert second["name"] == "LFM2ColBERTRetriever"
        assert second["metadata"]["user"] == 7
        assert second["metadata"]["team"] == "support"
        assert second["metadata"]["ls_embedding_model"] == retriever.retriever.model

    async def test_errors_are_reported_where_they_belong(self, retriever, ask):
        listener = Listener()
        questions = [QUESTIONS[0], None]
        await ask(retriever, questions, {"callbacks": [listener]}, return_exceptions=True, k=1)
        assert ("end", (QUESTIONS[0], ["reset"])) in listener.events
        assert ("error", (None, InputError)) in listener.events


def test_threads_agree(retriever):
    expected = retriever.batch(QUESTIONS)
    answers: list[object] = []
    threads = [
        threading.Thread(target=lambda: answers.append(retriever.batch(QUESTIONS)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [expected] * 8
