"""A corpus for encode jobs, a program that encodes it, and hashes of all that came of it."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

FILES, PASSAGES = 24, 60


def write_corpus(folder: Path, files: int = FILES, passages: int = PASSAGES) -> Path:
    """Write files of JSON Lines, each with some passages."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(files):
        lines = (
            json.dumps(
                {"id": f"{number}-{line}", "text": _text(number * passages + line), "line": line}
            )
            for line in range(passages)
        )
        (folder / f"part-{number:03}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder


def _text(seed: int) -> str:
    return " ".join(f"w{seed * place % 9973}" for place in range(1, 40))


def hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file in a folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def main(source: str, into: str) -> None:
    """Encode a folder, and say after each file that it goes on; made to be killed."""
    from lfm2_colbert_rag.files.encoded.job import Job
    from lfm2_colbert_rag.files.encoded.running import encode_files
    from lfm2_colbert_rag.files.kinds import READERS
    from lfm2_colbert_rag.files.walk import find_sources

    sources = find_sources([Path(source)], READERS).files
    for outcome in encode_files(Job("hash", Path(into)), sources):
        sys.stdout.write(f"{outcome.source} {outcome.made}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
