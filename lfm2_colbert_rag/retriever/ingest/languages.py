"""The languages of texts, told from the texts themselves.

By py3langid, a naive Bayes classifier over pieces of bytes: Lui and Baldwin, "langid.py: An
Off-the-shelf Language Identification Tool" (2012), trained anew for 139 languages.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

from ..._support.forking import NO_FORK
from ...types import UNDETERMINED

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

# Below it are names, numbers and code, which resemble many languages a little.
_LEAST_CONFIDENCE = 0.5
# Characters that are looked at: of longer texts the beginning, the middle and the end.
_PART = 300
# Kinds of one written language, as far as retrieval goes.
_WRITTEN_AS = {
    "arz": "ar", "ary": "ar", "grc": "el", "hbo": "he", "nn": "no", "uzs": "uz", "wuu": "zh",
    "yue": "zh",
}  # fmt: skip
_NO_LANGUAGE = "zxx"


def tell_languages(texts: Iterable[str]) -> list[str]:
    """Tell the language of each text.

    Args:
        texts: of any length; up to 900 characters of each are looked at.

    Returns:
        ISO 639 codes, of two letters where there is one; ``"und"`` where it cannot be told.

    Example:
        >>> tell_languages(["Wo ist der Schlüssel?", "钥匙在哪里？我找不到它。", "x = 17"])
        ['de', 'zh', 'und']
    """
    found: dict[str, str] = {}
    parts = [_part(text) for text in texts]
    for part in parts:
        if part not in found:
            found[part] = _tell(part)
    return [found[part] for part in parts]


def _tell(text: str) -> str:
    with NO_FORK:  # the child could not use a matrix product that has begun
        language, _ = _identifier().classify(text)
    return _WRITTEN_AS.get(language, UNDETERMINED if language == _NO_LANGUAGE else language)


def _part(text: str) -> str:
    if len(text) <= 3 * _PART:
        return text
    middle = (len(text) - _PART) // 2
    return f"{text[:_PART]}\n{text[middle : middle + _PART]}\n{text[-_PART:]}"


@cache
def _identifier() -> LanguageIdentifier:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(
        MODEL_FILE, norm_probs=True, min_confidence=_LEAST_CONFIDENCE
    )
