"""The one table of routes: the router, the OpenAPI document and the tests are made of it."""

from __future__ import annotations

from .foreign_routes import FOREIGN
from .native_routes import NATIVE
from .page_routes import PAGES
from .route import Route
from .settings import Settings

ROUTES: tuple[Route, ...] = (*PAGES, *NATIVE, *FOREIGN)
"""All of them; one path's literal routes come before those with a name in their place."""


def spoken(settings: Settings) -> tuple[Route, ...]:
    """Return those of a server."""
    return tuple(route for route in ROUTES if route.api not in settings.without)
