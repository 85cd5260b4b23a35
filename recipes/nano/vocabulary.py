"""Cut the teacher's Unigram tokenizer to the pieces that the training text uses.

Pieces keep the teacher's normaliser and scores, so that every cut piece exists in the teacher:
student and teacher can read the same segmentation and their vectors align one to one.
"""

from __future__ import annotations

import argparse
import gzip
import json
import logging
import random
import unicodedata
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from .corpus import FEW_TEXTS, LANGUAGES

LOG = logging.getLogger(__name__)

SPECIAL_PIECES = ("<s>", "<pad>", "</s>", "<unk>")
MARKERS = ("[Q] ", "[D] ")
# How much of each language's weight a kind of source gets: general words over software text.
SOURCE_SHARES = {"wordfreq": 0.5, "tatoeba-anki": 0.2, "words": 0.12, "other": 0.18}
# Languages that share few pieces with others, or whose words take many, need more of the room.
LANGUAGE_WEIGHTS = {"en": 2.0, "ar": 2.0, "zh": 1.6} | dict.fromkeys(FEW_TEXTS, 0.4) | {"ru": 0.8}
# As wordfreq calls it.
WORD_LISTS = {"no": "nb"}
CAPITALS = (
    "en",
    "de",
    "fr",
    "es",
    "it",
    "pt",
    "ru",
    "tr",
    "el",
    "ro",
    "nl",
    "sv",
    "no",
    "pl",
    "id",
)
# Scripts whose words few of our texts hold: the teacher's most probable pieces of more than a sign.
WORD_SCRIPTS = {"THAI": 1200, "DEVANAGARI": 1200}
NO_SPACES = ("zh", "ja")
PRIOR_SHARE = 0.15
_SCRIPTS = (
    ("LATIN", 100_000),
    ("GREEK", 100_000),
    ("CYRILLIC", 100_000),
    ("HEBREW", 100_000),
    ("ARABIC", 100_000),
    ("DEVANAGARI", 100_000),
    ("THAI", 100_000),
    ("HIRAGANA", 100_000),
    ("KATAKANA", 100_000),
    ("DIGIT", 100_000),
    ("HANGUL", 1400),
    ("CJK", 5000),
)


def source_group(source: str) -> str:
    """Name the entry of ``SOURCE_SHARES`` that a source belongs to."""
    if source in ("freedict", "cc-cedict", "names"):
        return "words"
    return source if source in SOURCE_SHARES else "other"


def word_frequencies(path: Path, most: int = 120_000) -> dict[str, float]:
    """Read a list of the package wordfreq: bins of words, one hundredth of a decade apart."""
    import msgpack

    with gzip.open(path) as file:
        bins = msgpack.load(file, raw=False)[1:]
    ranked = ((word, 10 ** (-place / 100)) for place, words in enumerate(bins) for word in words)
    return dict(islice(ranked, most))


def count_word_pieces(tokenizer: Tokenizer, folder: Path, lang: str) -> np.ndarray:
    """Return the relative frequencies of the pieces in the general text of a language."""
    code = WORD_LISTS.get(lang, lang)
    paths = [folder / f"{size}_{code}.msgpack.gz" for size in ("large", "small")]
    path = next((path for path in paths if path.exists()), None)
    if path is None:
        return np.zeros(tokenizer.get_vocab_size())
    words = word_frequencies(path)
    if lang in CAPITALS:
        words |= {w.capitalize(): 0.25 * f for w, f in words.items()}
    counts = np.zeros(tokenizer.get_vocab_size())
    encodings = tokenizer.encode_batch(list(words), add_special_tokens=False)
    blank = tokenizer.token_to_id("▁")
    for frequency, encoding in zip(words.values(), encodings, strict=True):
        ids = encoding.ids
        if lang in NO_SPACES:
            inside = [tokenizer.token_to_id(piece.lstrip("▁")) for piece in encoding.tokens]
            ids = [i for i in inside if i is not None and i != blank]
        np.add.at(counts, ids, frequency)
    total: float = counts.sum()
    return counts / total


def count_pieces(
    tokenizer: Tokenizer, files: Iterable[Path], per_group: int, wordfreq: Path
) -> np.ndarray:
    """Return balanced relative frequencies of the teacher's pieces over all languages.

    Args:
        tokenizer: the teacher's tokenizer.
        files: ``pairs.jsonl`` and ``words.jsonl`` files.
        per_group: most texts read of one language and one group of sources.
        wordfreq: folder ``data`` of the package wordfreq.
    """
    texts: dict[tuple[str, str], list[str]] = {}
    for path in files:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                group = source_group(row["source"])
                texts.setdefault((row["lang"], group), []).append(row["text"])
                texts.setdefault(("en", group), []).append(row["en"])
    shares = np.zeros(tokenizer.get_vocab_size())
    for (lang, group), group_texts in texts.items():
        random.Random(0).shuffle(group_texts)
        counts = np.zeros_like(shares)
        kept = list(islice(group_texts, per_group))
        for start in range(0, len(kept), 2000):
            batch = kept[start : start + 2000]
            for encoding in tokenizer.encode_batch_fast(batch, add_special_tokens=False):
                np.add.at(counts, encoding.ids, 1)
        present = sum(SOURCE_SHARES[g] for lg, g in texts if lg == lang)
        rest = 1 - SOURCE_SHARES["wordfreq"]
        weight = LANGUAGE_WEIGHTS.get(lang, 1.0) * rest * SOURCE_SHARES[group] / present
        shares += weight * counts / counts.sum()
    for lang in ("en", *LANGUAGES):
        weight = LANGUAGE_WEIGHTS.get(lang, 1.0) * SOURCE_SHARES["wordfreq"]
        shares += weight * count_word_pieces(tokenizer, wordfreq, lang)
    return shares / shares.sum()


def single_characters(pieces: list[str], scores: np.ndarray) -> list[int]:
    """Return ids of the one-character pieces that keep other text from being unknown."""
    by_script: dict[str, list[int]] = {name: [] for name, _ in _SCRIPTS}
    for index, piece in enumerate(pieces):
        if len(piece) != 1 or index < len(SPECIAL_PIECES):
            continue
        name = unicodedata.name(piece, "")
        script = next((s for s, _ in _SCRIPTS if s in name), None)
        if script is not None:
            by_script[script].append(index)
        elif ord(piece) < 0x2200 or 0x3000 <= ord(piece) < 0x3040:
            by_script["LATIN"].append(index)
    kept: list[int] = []
    for script, limit in _SCRIPTS:
        ranked = sorted(by_script[script], key=lambda i: -scores[i])
        kept.extend(ranked[:limit])
    return kept


def script_pieces(pieces: list[str], scores: np.ndarray) -> list[int]:
    """Return ids of the likeliest longer pieces in the scripts of ``WORD_SCRIPTS``."""
    found: dict[str, list[int]] = {name: [] for name in WORD_SCRIPTS}
    for index in np.argsort(-scores[len(SPECIAL_PIECES) :]) + len(SPECIAL_PIECES):
        signs = pieces[index].lstrip("▁")
        script = unicodedata.name(signs[0], "").split(" ")[0] if len(signs) > 1 else ""
        if len(found.get(script, ())) < WORD_SCRIPTS.get(script, 0):
            found[script].append(int(index))
    return [index for part in found.values() for index in part]


def choose(shares: np.ndarray, pieces: list[str], scores: np.ndarray, size: int) -> list[int]:
    """Return the teacher ids of the ``size`` kept pieces, specials first."""
    prior = np.where(shares > 0, np.exp(scores), 0.0)
    merit = (1 - PRIOR_SHARE) * shares + PRIOR_SHARE * prior / prior.sum()
    chosen = list(range(len(SPECIAL_PIECES)))
    room = size - len(chosen) - len(MARKERS)
    singles = single_characters(pieces, scores)
    keep = set(singles) | set(script_pieces(pieces, scores))
    for index in np.argsort(-merit):
        if len(keep) >= room or merit[index] <= 0:
            break
        if index >= len(SPECIAL_PIECES) and pieces[index] != "<mask>":
            keep.add(int(index))
    LOG.info("%d pieces, %d of them single characters", len(keep), len(singles))
    return chosen + sorted(keep, key=lambda i: -merit[i])


def cut_tokenizer(original: dict[str, Any], kept: list[int]) -> dict[str, Any]:
    """Return the ``tokenizer.json`` of the student: ``<s> $A``, markers as the last two ids."""
    vocab = original["model"]["vocab"]
    pieces = [[vocab[i][0], round(float(vocab[i][1]), 3)] for i in kept]
    added = [
        {"id": i, "content": piece, "single_word": False, "lstrip": False, "rstrip": False}
        | {"normalized": False, "special": True}
        for i, piece in enumerate(SPECIAL_PIECES)
    ]
    added += [
        {"id": len(pieces) + i, "content": marker, "single_word": False, "lstrip": False}
        | {"rstrip": False, "normalized": False, "special": False}
        for i, marker in enumerate(MARKERS)
    ]
    start = {"SpecialToken": {"id": "<s>", "type_id": 0}}
    text = [{"Sequence": {"id": name, "type_id": 0}} for name in ("A", "B")]
    processor = {
        "type": "TemplateProcessing",
        "single": [start, text[0]],
        "pair": [start, text[0], start, text[1]],
        "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}},
    }
    model = {"type": "Unigram", "unk_id": 3, "vocab": pieces, "byte_fallback": False}
    return original | {"added_tokens": added, "post_processor": processor, "model": model}


def main() -> None:
    """Write ``tokenizer.json`` and ``teacher_ids.npy`` (the teacher's id of each piece)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--teacher-tokenizer", type=Path, required=True)
    parser.add_argument("--pairs", type=Path, nargs="+", required=True)
    parser.add_argument("--wordfreq", type=Path, required=True, help="data of the package")
    parser.add_argument("--size", type=int, default=64_000, help="below 65,536")
    parser.add_argument("--per-group", type=int, default=25_000)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    original = json.loads(args.teacher_tokenizer.read_text(encoding="utf-8"))
    vocab = original["model"]["vocab"]
    pieces, scores = [p for p, _ in vocab], np.array([s for _, s in vocab])
    shares = count_pieces(
        Tokenizer.from_file(str(args.teacher_tokenizer)), args.pairs, args.per_group, args.wordfreq
    )[: len(pieces)]
    kept = choose(shares, pieces, scores, args.size)
    args.out.mkdir(parents=True, exist_ok=True)
    np.save(args.out / "teacher_ids.npy", np.array(kept))
    compact = json.dumps(cut_tokenizer(original, kept), ensure_ascii=False, separators=(",", ":"))
    (args.out / "tokenizer.json").write_text(compact, encoding="utf-8")
    covered = shares[kept].sum() / shares.sum()
    LOG.info("%d pieces cover %.2f %% of the tokens", len(kept), 100 * covered)


if __name__ == "__main__":
    main()
