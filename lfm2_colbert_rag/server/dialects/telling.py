"""Problems as the clients of other APIs read them.

The members of RFC 9457 are there, too: ``detail`` is what Jina's clients show, ``message`` what
Cohere's and OpenAI's do.
"""

from __future__ import annotations

from http import HTTPStatus

import msgspec

from ..problems import Problem, Telling
from ..request import JSON


def told_to_rerankers(problem: Problem, request_id: str) -> Telling:
    """Put a problem for clients of rerankers: those of TEI look for ``error``."""
    body = msgspec.to_builtins(problem.body(request_id))
    more = {"error": problem.told, "error_type": problem.code}
    return Telling(problem.status, msgspec.json.encode(body | more), JSON)


def told_as_openai(problem: Problem, request_id: str) -> Telling:
    """Put a problem as OpenAI's API does: an object ``error``."""
    body = msgspec.to_builtins(problem.body(request_id))
    kind = HTTPStatus(problem.status).phrase.lower().replace(" ", "_")
    error = {"message": problem.told, "type": kind, "param": None, "code": problem.code}
    return Telling(problem.status, msgspec.json.encode(body | {"error": error}), JSON)


_DIFY_KEY, _DIFY_FORBIDDEN, _DIFY_UNKNOWN = 1001, 1002, 2001
_DIFY_CODES = {"unauthorized": _DIFY_KEY, "forbidden": _DIFY_FORBIDDEN, "rate-limited": 1002}


def told_to_dify(problem: Problem, request_id: str) -> Telling:
    """Put a problem as Dify's external knowledge API does.

    Dify takes every status but 403, 404 and 502 for a sign that the key is right
    (``external_knowledge_service.py``), so a wrong key is 403 there. So is one too many: whoever
    has failed often is told no more than that, and would else pass with the next wrong key.
    """
    code = _DIFY_CODES.get(problem.code, _DIFY_UNKNOWN)
    status = 403 if problem.status in (401, 429) else problem.status
    body = {"error_code": code, "error_msg": problem.told, "request_id": request_id}
    return Telling(status, msgspec.json.encode(body), JSON)
