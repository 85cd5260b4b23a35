"""Last hidden states of the cut teacher on translated texts, for its head to be fitted on.

Every text is read with one of the two prefixes, and each pair of a text and its translation with
the same one.
"""

from __future__ import annotations

import argparse
import gzip
import json
import logging
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer

from recipes.nano.corpus import LANGUAGES, clean, is_prose, is_translated

LOG = logging.getLogger(__name__)

PREFIXES = ("query: ", "passage: ")
LONGEST = 128  # tokens
MOST = 6000  # lines of a source, enough to draw from
BATCH = 2048  # positions computed at once


def read_pairs(parallel: Path, language: str, wanted: int, seed: int) -> list[tuple[str, str]]:
    """Return as many pairs with English from each source of a language, in random order."""
    files = sorted(parallel.glob(f"*.{language}*.jsonl.gz"))
    found = []
    for file in files:
        pairs = list(_clean_pairs(file, language))
        found += random.Random(seed).sample(pairs, min(len(pairs), -(-wanted // len(files))))
    random.Random(seed).shuffle(found)
    return found[:wanted]


def _clean_pairs(file: Path, language: str) -> Iterator[tuple[str, str]]:
    key = file.name.split(".")[1]
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            if number >= MOST:
                return
            row = json.loads(line)
            english, text = clean(row["en"]), clean(str(row.get(key, row.get(language, ""))))
            if is_prose(english) and is_prose(text) and is_translated(text, language):
                yield english, text


@torch.inference_mode()
def states_of(model: torch.nn.Module, rows: Sequence[list[int]], padding: int) -> list[np.ndarray]:
    """Return the last hidden states ``(n, hidden)`` float16 of each list of ids."""
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    results: list[np.ndarray] = [np.empty(0)] * len(rows)
    start, begun, done = 0, time.monotonic(), 0
    while start < len(order):
        stop = start + 1
        while stop < len(order) and (stop + 1 - start) * len(rows[order[stop]]) <= BATCH:
            stop += 1
        batch = order[start:stop]
        width = len(rows[batch[-1]])
        ids = torch.full((len(batch), width), padding)
        for place, index in enumerate(batch):
            ids[place, : len(rows[index])] = torch.tensor(rows[index])
        mask = torch.arange(width) < torch.tensor([len(rows[i]) for i in batch])[:, None]
        states = model(input_ids=ids, attention_mask=mask.long()).last_hidden_state.half().numpy()
        for place, index in enumerate(batch):
            results[index] = states[place, : len(rows[index])]
        done += sum(len(rows[index]) for index in batch)
        start = stop
        LOG.info("%d tokens, %.0f/s", done, done / (time.monotonic() - begun))
    return results


def main() -> None:
    """Write ``states``, and language, pair and number of tokens of each text."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="folder that `cut` wrote")
    parser.add_argument("--parallel", type=Path, required=True)
    parser.add_argument("--languages", nargs="+", default=LANGUAGES[:9])
    parser.add_argument("--pairs", type=int, default=320, help="of each language")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(args.threads)
    from transformers import AutoModel

    model = AutoModel.from_pretrained(args.model, dtype=torch.float32).eval()
    tokenizer = Tokenizer.from_file(str(args.model / "tokenizer.json"))
    tokenizer.enable_truncation(LONGEST)
    texts, languages, numbers = [], [], []
    for language in args.languages:
        for english, text in read_pairs(args.parallel, language, args.pairs, args.seed):
            number = len(texts) // 2
            prefix = PREFIXES[number % 2]
            texts += [prefix + english, prefix + text]
            languages += ["en", language]
            numbers += [number, number]
    rows = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
    LOG.info("%d texts, %d tokens", len(rows), sum(map(len, rows)))
    states = states_of(model, rows, model.config.pad_token_id)
    np.savez(
        args.out,
        states=np.concatenate(states),
        sizes=np.array([len(one) for one in states]),
        languages=np.array(languages),
        pairs=np.array(numbers),
    )


if __name__ == "__main__":
    main()
