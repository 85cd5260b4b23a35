"""The routes of the playground, which need no key: what the page asks for needs one."""

from __future__ import annotations

from .handlers import pages
from .route import Route

# Nothing from elsewhere, no script or style within the page, none made of text, nothing sent on.
_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    b"img-src 'self' data:; form-action 'none'; frame-ancestors 'none'; base-uri 'none'; "
    b"require-trusted-types-for 'script'; trusted-types 'none'"
)

_HEADERS = (
    (b"content-security-policy", _POLICY),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)

PAGES: tuple[Route, ...] = (
    Route(
        *("GET", "/", "playground", None, pages.home, "A page on which to ask, for people."),
        answered=("text/html",),
        api="playground",
        headers=_HEADERS,
    ),
    Route(
        *("GET", "/playground/{file}", "playground_file", None, pages.page_file),
        "A file that belongs to the page.",
        answered=("text/javascript", "text/css", "text/html", "image/svg+xml"),
        problems=("page-not-found",),
        api="playground",
        headers=_HEADERS,
    ),
)
"""The page, and its files."""
