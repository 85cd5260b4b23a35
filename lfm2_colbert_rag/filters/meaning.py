"""What filters mean: the definition that the catalog's SQL is tested against."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .strings import decomposed, fold
from .tree import ID_PATH, LANGUAGE_PATH, And, Filter, Not, Or, Path

__all__ = ["kind_of", "matches", "matches_everything", "values_at"]


def matches(node: Filter, metadata: Mapping[str, Any], id: str = "", language: str = "und") -> bool:
    """Evaluate a filter on one passage's metadata, id and language.

    This is the definition of what filters mean; the catalog's SQL is tested against it.
    """
    if isinstance(node, And):
        return all(matches(child, metadata, id, language) for child in node.children)
    if isinstance(node, Or):
        return any(matches(child, metadata, id, language) for child in node.children)
    if isinstance(node, Not):
        return not matches(node.child, metadata, id, language)
    found = list(_found(node.path, metadata, id, language))
    if node.operator == "$exists":
        return bool(found) == node.operand
    test = _TESTS[node.operator]
    return any(test(value, node.operand) for value in found)


def _found(path: Path, metadata: Mapping[str, Any], id: str, language: str) -> Iterator[Any]:
    if path[:1] == ID_PATH:
        return iter([id[int(path[1]) :] if len(path) > 1 else id])
    return iter([language]) if path == LANGUAGE_PATH else values_at(metadata, path)


def values_at(value: Any, path: Path) -> Iterator[Any]:
    """Yield all that stands at a path of metadata; a list stands for each of its elements.

    That holds at the end of the path, on the way to it, and for lists within lists. A list at the
    end comes as well, before its elements. A name in Unicode's form C is found in form D, too.

    Example:
        >>> metadata = {"by": [{"name": "Ada"}, {"name": ["Bo", "B."]}]}
        >>> list(values_at(metadata, ("by", "name")))
        ['Ada', ['Bo', 'B.'], 'Bo', 'B.']
    """
    if not path:
        yield value
    if isinstance(value, list):
        for element in value:
            yield from values_at(element, path)
    elif path and isinstance(value, Mapping):
        name = path[0] if path[0] in value else decomposed(path[0])
        if name in value:
            yield from values_at(value[name], path[1:])


def matches_everything(node: Filter) -> bool:
    """Tell whether a filter leaves no passage out, whatever they hold; ``{}`` is one.

    Example:
        >>> from lfm2_colbert_rag.filters import parse_where
        >>> matches_everything(parse_where({"$and": [{}, {"$not": {"year": {"$in": []}}}]}))
        True
    """
    if isinstance(node, And):
        return all(map(matches_everything, node.children))
    if isinstance(node, Or):
        return any(map(matches_everything, node.children))
    return isinstance(node, Not) and _matches_nothing(node.child)


def _matches_nothing(node: Filter) -> bool:
    if isinstance(node, And):
        return any(map(_matches_nothing, node.children))
    if isinstance(node, Or):
        return all(map(_matches_nothing, node.children))
    if isinstance(node, Not):
        return matches_everything(node.child)
    return node.operator == "$in" and not node.operand


def kind_of(value: object) -> str | None:
    """Name the comparable kind of a value: boolean, number, string, null; None for others."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else None


def _equal(value: Any, operand: Any) -> bool:
    return kind_of(value) == kind_of(operand) and bool(value == operand)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda value, operand: kind_of(value) == kind_of(operand) and compare(value, operand)


_TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "$eq": _equal,
    "$in": lambda value, operand: any(_equal(value, one) for one in operand),
    "$gt": _ordered(lambda a, b: a > b),
    "$gte": _ordered(lambda a, b: a >= b),
    "$lt": _ordered(lambda a, b: a < b),
    "$lte": _ordered(lambda a, b: a <= b),
    "$contains": lambda value, operand: isinstance(value, str) and operand in value,
    "$icontains": lambda value, operand: isinstance(value, str) and operand in fold(value),
}
