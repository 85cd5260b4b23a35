"""The house: imports point downward, nothing goes in circles, and the hall has few doors."""

from __future__ import annotations

import ast
from collections import defaultdict
from functools import cache
from pathlib import Path

import lfm2_colbert_rag

ROOT = Path(lfm2_colbert_rag.__file__).parent

# Floor of each room of the package; the longest matching prefix counts. A module imports from its
# own room and from lower floors. docs/architecture.md draws the same picture.
FLOORS = {
    "errors": 0,
    "types": 1,
    "filters": 1,
    "_support": 2,
    "encoder": 3,
    "index": 3,
    "testing": 4,
    "storage": 4,
    "cluster": 5,
    "retriever.ingest": 5,
    "retriever.search": 6,
    "retriever.maintenance": 7,
    "retriever.remote": 7,
    "client": 7,
    "retriever": 8,
    "evaluation": 9,
    "files": 9,
    "mcp_server": 9,
    "server": 10,
    "training": 10,
    "cli": 11,
    "": 12,
}
# The command line prints the version.
EXCEPTIONS = {("cli", "")}
MOST_IN_THE_HALL = 17
LONGEST_CHAIN = 12


@cache
def modules() -> dict[str, Path]:
    """Return the package's modules by their dotted names, packages by their ``__init__``."""
    found = {}
    for path in ROOT.rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__")] = path
    return found


def room(name: str) -> tuple[str, int]:
    while name and name not in FLOORS:
        name = name.rpartition(".")[0]
    return name, FLOORS[name]


def imports(name: str, *, when_loaded: bool = False) -> set[str]:
    """Return the package's own modules that a module imports.

    Args:
        name: the module.
        when_loaded: leave out what is imported within functions, or for types only.
    """
    path = modules()[name]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    found = set()
    for node in _statements(tree.body) if when_loaded else ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {one.name for one in node.names if one.name.startswith("lfm2_colbert_rag")}
        elif isinstance(node, ast.ImportFrom) and node.level:
            parts = [part for part in package if part][: len(package) - node.level + 1]
            base = ".".join([*parts, *(node.module or "").split(".")]).strip(".")
            for one in node.names:
                longer = f"{base}.{one.name}".strip(".")
                found.add(longer if longer in modules() else base)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lfm2_colbert"):
            found.add(node.module)
    return found - {name}


def _statements(body: list[ast.stmt]):
    for node in body:
        yield node
        if isinstance(node, ast.If) and "TYPE_CHECKING" not in ast.dump(node.test):
            yield from _statements([*node.body, *node.orelse])
        elif isinstance(node, ast.Try):
            yield from _statements(node.body)


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the strongly connected components of more than one node (Tarjan, 1972)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(node: str) -> None:
        order[node] = low[node] = len(order)
        stack.append(node)
        for target in graph.get(node, ()):
            if target not in order:
                visit(target)
            if target in stack:
                low[node] = min(low[node], low[target])
        if low[node] == order[node]:
            part = stack[stack.index(node) :]
            del stack[-len(part) :]
            if len(part) > 1:
                found.append(sorted(part))

    for node in graph:
        if node not in order:
            visit(node)
    return found


def test_imports_point_downward():
    wrong = []
    for name in filter(None, modules()):
        home, floor = room(name)
        for target in imports(name):
            if target.startswith("lfm2_colbert_rag"):
                wrong.append(f"{name} imports {target} by its absolute name")
                continue
            other, other_floor = room(target)
            if other != home and (home, other) not in EXCEPTIONS and other_floor >= floor:
                wrong.append(f"{name} (floor {floor}) imports {target} (floor {other_floor})")
    assert wrong == []


def test_every_module_has_a_room():
    assert [name for name in modules() if name and not room(name)[0]] == []


def test_no_modules_import_one_another_in_a_circle():
    """Also where the import stands within a function."""
    assert circles({name: imports(name) for name in modules() if name}) == []


def test_no_folders_import_one_another_in_a_circle():
    """Of each folder: its modules and its folders, each folder with all that is in it."""
    within: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for name in filter(None, modules()):
        for target in imports(name) - {""}:
            one, other = _path(name), _path(target)
            level = next(i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
            within[".".join(one[:level])][one[level]].add(other[level])
    assert {folder: found for folder, graph in within.items() if (found := circles(graph))} == {}


def _path(name: str) -> list[str]:
    """Return where a module lies; what a folder's ``__init__`` holds is a room of the folder."""
    inner = ["__init__"] if modules()[name].name == "__init__.py" else []
    return [*name.split("."), *inner]


def test_the_hall_has_few_doors():
    names = {path.name for path in ROOT.iterdir()} - {"__init__.py", "__pycache__", "py.typed"}
    assert len(names) <= MOST_IN_THE_HALL, sorted(names)


def test_chains_of_imports_are_short():
    """So many modules have to be read, at most, to know all that one stands on."""

    @cache
    def longest(name: str) -> tuple[str, ...]:
        below = [longest(target) for target in imports(name, when_loaded=True) if target]
        return name, *max(below, key=len, default=())

    chain = max((longest(name) for name in modules() if name), key=len)
    assert len(chain) <= LONGEST_CHAIN, " > ".join(chain)


def test_a_view_names_no_part_of_the_index():
    """Whoever answers a tenant's requests holds a view, and cannot reach further by its module."""
    known = {room(target)[0] for target in imports("retriever.view", when_loaded=True)}
    assert known == {"_support", "errors", "types"}
    assert room("retriever.view") == ("retriever", 8)


def test_a_client_needs_nothing_of_an_engine():
    """Only what plans and explanations are drawn with, once it is asked for one."""
    names = [name for name in modules() if room(name)[0] == "client"]
    known = {room(target)[0] for name in names for target in imports(name, when_loaded=True)}
    assert known == {"client", "_support", "errors", "filters", "types"}
    found = {target for name in names for target in imports(name) if room(target)[0] not in known}
    plans = ["retriever.search.explanation", "retriever.search.plan"]
    assert sorted(found) == ["index.settings", *plans]


def test_only_the_storage_speaks_sql_and_locks():
    for word in ("sqlite3", "filelock"):
        users = {name for name in modules() if word in modules()[name].read_text("utf-8")}
        allowed = {"encoder.onnx.converted"} if word == "filelock" else set()
        assert {name for name in users if not name.startswith("storage.")} <= allowed
