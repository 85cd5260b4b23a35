"""Keys made, listed and revoked over the network, and tokens for clients that cannot make them.

Nobody hands out more than he has: a key that is made here is a part of the rights of the key that
asks, ends with it, and is seen by keys that see its indexes.
"""

from __future__ import annotations

import asyncio
import time

from ..access.callers import Caller, conjunction
from ..access.key_record import Key
from ..access.rights import Rights
from ..access.tokens import mint
from ..answers import KeyAnswer, KeysAnswer, NewKeyAnswer, TokenAnswer
from ..bodies import NarrowingBody, NewKeyBody, TokenBody
from ..problems import Problem
from ..request import Answer, Request, encode

_NO_TENANTS = "Tenants are kept apart by indexes here: name the tenant's index instead."


async def list_keys(request: Request) -> Answer:
    """List the keys of what the caller sees, the oldest first."""
    found = await asyncio.to_thread(_seen, request)
    return Answer(encode(KeysAnswer([KeyAnswer(**key.to_dict()) for key in found])))


async def create_key(request: Request) -> Answer:
    """Make a key, and show it this once."""
    body: NewKeyBody = request.body
    caller = _holder(request)
    _require_changeable(request)
    rights = _narrowed(request, caller, body)
    expires = _ends(caller, body.expires_in)
    where = conjunction(rights.where) if rights.where else None
    parts = (rights.scopes, rights.indexes, rights.tenant, where, rights.fields)
    made, text = await asyncio.to_thread(
        request.services.keys.create, body.name, *parts, _rate(caller, body.rate), expires
    )
    return Answer(encode(NewKeyAnswer(key=text, **made.to_dict())), status=201)


async def revoke_key(request: Request) -> Answer:
    """End a key for ever, with all tokens that were made of it."""
    _holder(request)
    _require_changeable(request)
    found = {key.id: key for key in await asyncio.to_thread(_seen, request)}
    key = found.get(request.params["key"])
    if key is None:
        raise Problem("key-not-found")
    if key.revoked is None and key.is_live(time.time()):
        (key,) = await asyncio.to_thread(request.services.keys.revoke, key.id)
    return Answer(encode(KeyAnswer(**key.to_dict())))


async def make_token(request: Request) -> Answer:
    """Make a token of the key that asks."""
    body: TokenBody = request.body
    _narrowed(request, _holder(request), body)
    given = {name: getattr(body, name) for name in body.__struct_fields__}
    now = time.time()
    key = request.services.gate.credential(request.headers)
    token = mint(key, clock=lambda: now, **given)
    return Answer(encode(TokenAnswer(token, int(now + body.expires_in))), status=201)


def _holder(request: Request) -> Caller:
    """Return who asks, with a key of his own: what is made of a token would outlive it.

    Raises:
        Problem: it is a token.
    """
    caller = request.known_caller
    if caller.is_token:
        raise Problem("forbidden", "This is for keys, and a token was given.")
    return caller


def _require_changeable(request: Request) -> None:
    if request.services.settings.read_only:
        raise Problem("read-only-server")


def _narrowed(request: Request, caller: Caller, body: NarrowingBody) -> Rights:
    """Return the caller's rights, made less by a body.

    Raises:
        Problem: tenants have an index each here.
        InputError: something would become more.
    """
    if body.tenant is not None and request.services.settings.isolation == "index":
        raise Problem("config", _NO_TENANTS)
    rights = Rights(caller.scopes, caller.indexes, caller.tenant, caller.where, caller.fields)
    return rights.narrowed(
        scopes=body.scopes,
        indexes=body.indexes,
        tenant=body.tenant,
        where=body.where,
        fields=body.fields,
    )


def _seen(request: Request) -> list[Key]:
    """Return the keys of no other indexes than the caller sees."""
    own, found = request.known_caller.indexes, request.services.keys.keys()
    return [
        key
        for key in found
        if own is None or (key.rights.indexes is not None and key.rights.indexes <= own)
    ]


def _ends(caller: Caller, seconds: float | None) -> float | None:
    """Return when a key ends: no later than the one that it is made with."""
    ends = [] if caller.expires is None else [caller.expires]
    return min([*ends, *([] if seconds is None else [time.time() + seconds])], default=None)


def _rate(caller: Caller, rate: float | None) -> float | None:
    """Return how often a key may ask: no more often than the one that it is made with."""
    return min((one for one in (caller.rate, rate) if one is not None), default=None)
