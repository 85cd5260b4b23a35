"""What users see of the package: one list of names wherever it is told; what importing it costs."""

from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys
import typing
from collections import abc
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import numpy
import numpy.typing
import pytest

import lfm2_colbert_rag
from lfm2_colbert_rag import Retriever, types

needs_mcp = pytest.mark.skipif(find_spec("mcp") is None, reason="mcp_server needs the extra mcp")

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
PUBLIC_MODULES = ("errors", "evaluation", "filters", "mcp_server", "server", "testing", "training")


def run(code: str) -> str:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def referred() -> tuple[set[str], set[str]]:
    """Return the names and the modules that the reference page shows."""
    page = (ROOT / "docs" / "reference.md").read_text("utf-8")
    names, modules = set(), set()
    for block in re.split(r"^::: ", page, flags=re.MULTILINE)[1:]:
        identifier = block.split()[0]
        inner = identifier.removeprefix("lfm2_colbert_rag.")
        members = re.search(r"members: \[(.*?)\]", block, re.DOTALL)
        if members and inner not in PUBLIC_MODULES:
            names |= {name.strip() for name in members[1].split(",")}
        elif inner.split(".")[0] in PUBLIC_MODULES:
            modules.add(inner.split(".")[0])
        else:
            names.add(inner.rpartition(".")[2])
    return names, modules


@needs_mcp
def test_public_names_are_those_of_the_reference():
    names = lfm2_colbert_rag.__all__
    assert names == sorted(set(names))
    shown, modules = referred()
    for module in modules:  # which show all that they have
        shown |= set(names) & set(exported(importlib.import_module(f"lfm2_colbert_rag.{module}")))
    assert shown == set(names) - {"__version__"}
    assert modules == set(PUBLIC_MODULES)


@needs_mcp
def test_what_pages_import_is_public():
    wrong = []
    for page in PAGES:
        text = page.read_text("utf-8")
        imports = re.findall(
            r"^ *from lfm2_colbert_rag(\.[\w.]+)? import (\([^)]*\)|[^\n]*)", text, re.MULTILINE
        )
        for module, listed in imports:
            home = importlib.import_module(f"lfm2_colbert_rag{module}")
            for name in re.findall(r"\w+", listed.split("#")[0]):
                is_module = not module and name in PUBLIC_MODULES
                public_home = not module or module[1:].split(".")[0] in PUBLIC_MODULES
                if not is_module and (not public_home or name not in exported(home)):
                    wrong.append(f"{page.name}: {home.__name__}.{name}")
    assert wrong == []


def exported(module: ModuleType) -> list[str]:
    """Return what a module says is for others, or all that it defines."""
    own = (name for name, value in vars(module).items() if _is_own(value, module))
    return list(getattr(module, "__all__", own))


def _is_own(value: object, module: ModuleType) -> bool:
    return getattr(value, "__module__", None) == module.__name__


def test_what_a_retriever_returns_is_public():
    """And so is what the fields of that hold, and so on."""
    members = inspect.getmembers(Retriever, inspect.isroutine)
    todo = [
        hint
        for name, method in members
        if not name.startswith("_")
        for hint in ours(return_hint(method))
    ]
    seen: set[type] = set()
    while todo:
        kind = todo.pop()
        if kind not in seen:
            seen.add(kind)
            is_record = hasattr(kind, "__dataclass_fields__")
            fields = typing.get_type_hints(kind, localns=public_names()) if is_record else {}
            todo += [
                one
                for name, hint in fields.items()
                if not name.startswith("_")
                for one in ours(hint)
            ]
    assert len(seen) > 8
    assert {kind.__name__ for kind in seen} <= set(lfm2_colbert_rag.__all__)


def return_hint(method: typing.Any) -> object:
    """Return the annotation of what a method gives; what only type checkers import is looked up."""
    method = inspect.unwrap(getattr(method, "__func__", method))
    return eval(method.__annotations__["return"], {**public_names(), **method.__globals__})


def public_names() -> dict[str, object]:
    """Return what an annotation may name: public names, and those of numpy and of typing."""
    ours = {name: getattr(lfm2_colbert_rag, name) for name in lfm2_colbert_rag.__all__}
    return {**vars(typing), **vars(abc), "np": numpy, "npt": numpy.typing, **vars(types), **ours}


def ours(hint: object) -> list[type]:
    """Return the classes of this package that an annotation names."""
    parts = [one for part in typing.get_args(hint) for one in ours(part)]
    if isinstance(hint, type) and hint.__module__.startswith("lfm2_colbert_rag"):
        parts.append(hint)
    return parts


@needs_mcp
def test_every_public_name_exists_and_nothing_else_shows():
    missing = [name for name in lfm2_colbert_rag.__all__ if not hasattr(lfm2_colbert_rag, name)]
    assert missing == []
    assert dir(lfm2_colbert_rag) == sorted(lfm2_colbert_rag.__all__)
    for name in PUBLIC_MODULES:
        importlib.import_module(f"lfm2_colbert_rag.{name}")


def test_unknown_attribute_is_an_attribute_error():
    assert not hasattr(lfm2_colbert_rag, "nothing")


@pytest.mark.subprocess
def test_importing_the_root_loads_nothing_heavy():
    heavy = [
        "torch",
        "transformers",
        "onnxruntime",
        "numba",
        "tokenizers",
        "rich",
        "typer",
        "sqlite3",
        "numpy",
    ]
    code = f"import sys, lfm2_colbert_rag; print([m for m in {heavy} if m in sys.modules])"
    assert run(code).strip() == "[]"


@pytest.mark.subprocess
def test_a_retriever_without_a_model_run_loads_no_torch():
    code = (
        "import sys\nfrom lfm2_colbert_rag import Retriever\n"
        "r = Retriever.from_texts(['one text'], model='hash')\n"
        "r.search('text')\nprint('torch' in sys.modules, 'transformers' in sys.modules)"
    )
    assert run(code).strip() == "False False"
