"""The OpenAPI document, made of the table of routes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from .problems import Problem, ProblemBody
from .request import JSON
from .route import Route

_ALWAYS = ("internal",)
_KEYED = ("unauthorized", "forbidden", "rate-limited", "audit-unavailable")
_BODIED = ("malformed", "invalid", "too-large", "media-type", "timeout")
_ASKING = ("input", "filter", "config", "overloaded", "starting", "tenant-required")
_REFERENCE = "#/components/schemas/{name}"
_PROBLEM = "application/problem+json"


def document(version: str, routes: Sequence[Route]) -> dict[str, Any]:
    """Return the document, of OpenAPI 3.1.

    Args:
        version: of the library.
        routes: what the server answers.
    """
    routes = [route for route in routes if route.is_described]
    schemas, components = _schemas(routes)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        path = re.sub(r":path}", "}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "LFM2-ColBERT retrieval",
            "version": version,
            "description": "Passages in any language, found by questions in any other.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A key, or a tenant's token.",
                }
            },
        },
    }


def _schemas(
    routes: Sequence[Route],
) -> tuple[dict[type[Any], dict[str, Any]], dict[str, Any]]:
    named = [kind for route in routes for kind in (route.body, route.answer) if kind is not None]
    kinds: list[Any] = list(dict.fromkeys([*named, ProblemBody]))
    found, components = msgspec.json.schema_components(kinds, ref_template=_REFERENCE)
    named_schemas: dict[type[Any], dict[str, Any]] = dict(zip(kinds, found, strict=True))
    return named_schemas, components


def _operation(route: Route, schemas: dict[type[Any], dict[str, Any]]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.said,
        "responses": _responses(route, schemas),
    }
    if route.scope is not None:
        operation["security"] = [{"key": []}]
        which = "" if route.scope == "any" else f" with the scope `{route.scope}`"
        operation["description"] = f"Needs a key{which}."
    else:
        operation["security"] = []
    named = re.findall(r"{(\w+)", route.path)
    if named:
        operation["parameters"] = [
            {"name": one, "in": "path", "required": True, "schema": _parameter(one)}
            for one in named
        ]
    if route.body is not None:
        content = {route.media: {"schema": schemas[route.body] if route.media == JSON else {}}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _parameter(name: str) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": 512 if name == "id" else 64}


def _responses(route: Route, schemas: dict[type[Any], dict[str, Any]]) -> dict[str, Any]:
    well: dict[str, Any] = {"description": "What was asked for."}
    if route.answer is not None and route.answered:
        well["content"] = {
            media: {"schema": schemas[route.answer] if media == JSON else {}}
            for media in route.answered
        }
    elif route.answered:
        well["content"] = {media: {"schema": {"type": "string"}} for media in route.answered}
    by_status: dict[int, list[str]] = {}
    media = _PROBLEM
    for code in _codes(route):
        telling = route.told(Problem(code), "")
        media = telling.media
        by_status.setdefault(telling.status, []).append(code)
    problem = {media: {"schema": schemas[ProblemBody] if media == _PROBLEM else {}}}
    found = {
        str(status): {
            "description": f"{HTTPStatus(status).phrase}: {', '.join(codes)}.",
            "content": problem,
        }
        for status, codes in sorted(by_status.items())
    }
    return {str(route.status): well, **found}


def _codes(route: Route) -> list[str]:
    codes = [*_ALWAYS, *route.problems]
    if route.scope is not None:
        codes += _KEYED
    if route.body is not None:
        codes += _BODIED
    if "{index}" in route.path:
        codes += _ASKING
    return sorted(set(codes))
