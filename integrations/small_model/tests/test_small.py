"""The model as users get it: found by its name, right in int8, and it knows several languages."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from lfm2_colbert_small import FOLDER

from lfm2_colbert_rag import Retriever, load_encoder

SENTENCES = {
    "en": [
        "The train to Berlin leaves at seven in the morning.",
        "Put the milk back into the refrigerator.",
        "The doctor asked whether the patient had a fever.",
        "Our cat sleeps on the roof of the car.",
        "The government raised the tax on tobacco.",
        "She plays the violin in an orchestra.",
    ],
    "de": [
        "Der Zug nach Berlin fährt um sieben Uhr morgens ab.",
        "Stell die Milch zurück in den Kühlschrank.",
        "Der Arzt fragte, ob der Patient Fieber habe.",
        "Unsere Katze schläft auf dem Dach des Autos.",
        "Die Regierung erhöhte die Steuer auf Tabak.",
        "Sie spielt Geige in einem Orchester.",
    ],
    "es": [
        "El tren a Berlín sale a las siete de la mañana.",
        "Vuelve a poner la leche en la nevera.",
        "El médico preguntó si el paciente tenía fiebre.",
        "Nuestro gato duerme en el techo del coche.",
        "El gobierno subió el impuesto al tabaco.",
        "Ella toca el violín en una orquesta.",
    ],
    "zh": [
        "去柏林的火车早上七点出发。",
        "把牛奶放回冰箱。",
        "医生问病人是否发烧。",
        "我们的猫睡在汽车顶上。",
        "政府提高了烟草税。",
        "她在乐团拉小提琴。",
    ],
    "ar": [
        "يغادر القطار إلى برلين في السابعة صباحا.",
        "أعد الحليب إلى الثلاجة.",
        "سأل الطبيب إن كان المريض مصابا بالحمى.",
        "قطتنا تنام على سقف السيارة.",
        "رفعت الحكومة الضريبة على التبغ.",
        "هي تعزف على الكمان في أوركسترا.",
    ],
}
OTHERS = [language for language in SENTENCES if language != "en"]


@pytest.fixture(scope="module")
def encoder() -> Any:
    return load_encoder("small")


def test_it_is_found_by_its_name(encoder: Any) -> None:
    assert encoder.name == "small"
    assert encoder.dim == 192
    assert encoder.fingerprint["architecture"] == "bert"
    assert (encoder.fingerprint["query_prefix"], encoder.fingerprint["document_prefix"]) == (
        "query: ",
        "passage: ",
    )


def test_its_size_is_that_of_a_small_download() -> None:
    size = sum(file.stat().st_size for file in FOLDER.rglob("*") if file.is_file())
    assert 24e6 < size < 34e6


def test_int8_is_as_good_as_float32(encoder: Any) -> None:
    exact = load_encoder("small", dtype="float32")
    texts = [text for one in SENTENCES.values() for text in one]
    for encode, other in (
        (encoder.encode_document, exact.encode_document),
        (encoder.encode_query, exact.encode_query),
    ):
        pairs = zip(encode(texts), other(texts), strict=True)
        cosines = np.concatenate([(a.vectors * b.vectors).sum(axis=1) for a, b in pairs])
        assert cosines.mean() >= 0.995


@pytest.mark.parametrize("language", OTHERS)
def test_a_sentence_finds_its_translation(encoder: Any, language: str) -> None:
    with Retriever.from_texts(SENTENCES["en"], model=encoder, storage="exact") as retriever:
        found = [retriever.search(text, k=1, mode="late")[0].text for text in SENTENCES[language]]
    right = sum(a == b for a, b in zip(found, SENTENCES["en"], strict=True))
    assert right >= 5


def test_in_an_index_of_all_languages_it_finds_the_translation_as_well(encoder: Any) -> None:
    assert encoder.query_adapter.dim == encoder.dim
    texts = [
        (f"{lang}{n}", text) for lang, some in SENTENCES.items() for n, text in enumerate(some)
    ]
    ids, sentences = zip(*texts, strict=True)
    with Retriever.from_texts(sentences, ids=ids, model=encoder, storage="exact") as retriever:
        assert retriever.plan("The cat sleeps.").query_adapter is not None
        for language in OTHERS:
            others = [f"{language}{n}" for n in range(6)]
            for n, text in enumerate(SENTENCES[language]):
                # Its own words are left out, and all else in its language may get in the way.
                where = {"$id": {"$ne": others[n]}}
                hits = retriever.search(text, k=1, where=where, mode="late")
                assert hits[0].id.endswith(str(n))


@pytest.mark.slow
def test_torch_gives_the_same_vectors() -> None:
    pytest.importorskip("transformers")
    ours, theirs = (load_encoder("small", engine=e, dtype="float32") for e in ("onnx", "torch"))
    assert ours.fingerprint == theirs.fingerprint
    texts = [one[0] for one in SENTENCES.values()]
    for a, b in zip(ours.encode_document(texts), theirs.encode_document(texts), strict=True):
        np.testing.assert_allclose(a.vectors, b.vectors, atol=1e-4)
