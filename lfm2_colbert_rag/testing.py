"""A public test double: an encoder that needs no weights, for tests and examples of your own."""

from __future__ import annotations

from .encoder.hash import HashEncoder

__all__ = ["HashEncoder"]
