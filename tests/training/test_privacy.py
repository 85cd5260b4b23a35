"""Nothing leaves the machine: no library that speaks to a network, and no call to one."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import lfm2_colbert_rag.training
from lfm2_colbert_rag import load_encoder
from lfm2_colbert_rag.encoder.checkpoint import Checkpoint
from lfm2_colbert_rag.encoder.torch_engine import TorchEncoder

from .conftest import CANARY, EXAMPLES, TEXTS

SPEAKING = {
    "aiohttp",
    "ftplib",
    "http",
    "httpx",
    "huggingface_hub",
    "requests",
    "socket",
    "transformers",
    "urllib",
    "urllib3",
}

PROGRAM = """
import sys
called = []
WATCHED = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto")
sys.addaudithook(lambda event, arguments: called.append(event) if event in WATCHED else None)
from lfm2_colbert_rag import load_encoder
from lfm2_colbert_rag.training import Example, TrainingSettings, train
examples, texts, folder = eval(sys.stdin.read())
examples = [Example(*one) for one in examples]
settings = TrainingSettings(method="layers", steps=2)
trained = train(load_encoder("nano", threads=1), examples, texts, folder, settings)
loaded = [one for one in ("torch._dynamo", "transformers") if one in sys.modules]
print(trained.steps, called, loaded)
"""


def test_no_module_imports_what_speaks_to_a_network():
    folder = Path(lfm2_colbert_rag.training.__file__).parent
    for path in folder.rglob("*.py"):
        found = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {one.name.partition(".")[0] for one in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add(str(node.module).partition(".")[0])
        assert not found & SPEAKING, path


@pytest.mark.slow
@pytest.mark.subprocess
def test_the_bundled_model_is_trained_without_a_call_and_both_engines_load_it(tmp_path: Path):
    given = [(one.question, one.positives, one.negatives) for one in EXAMPLES]
    told = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=repr((given, TEXTS, str(tmp_path / "new"))),
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == "2 [] []"
    new = tmp_path / "new"
    vectors = [
        encoder.encode_document([*TEXTS.values()])
        for encoder in (load_encoder(new), TorchEncoder(Checkpoint.read(new)))
    ]
    for one, other in zip(*vectors, strict=True):
        assert np.sum(one.vectors * other.vectors, axis=1).mean() > 0.999
    for path in (one for one in new.rglob("*") if one.is_file()):
        assert CANARY.encode() not in path.read_bytes()


LOOP = """
import sys
called = []
WATCHED = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto")
sys.addaudithook(lambda event, arguments: called.append(event) if event in WATCHED else None)
from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.training import adapt
from tests.training.noisy import fill, labels
with fill(Retriever.open(sys.argv[1], model="hash")) as index:
    verdict = adapt(index, labels(60), guard=None)
loaded = [one for one in ("torch", "transformers") if one in sys.modules]
print(len(verdict.figures), called, loaded)
"""


@pytest.mark.slow
@pytest.mark.subprocess
def test_from_labels_to_the_verdict_nobody_is_called(tmp_path: Path):
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", LOOP, str(tmp_path / "index")]
    told = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root)
    assert told.stdout.strip() == "4 [] []"
