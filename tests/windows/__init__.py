"""What a system does to tests that take away what is open, and how to give Linux its rules."""

from __future__ import annotations

import os

import pytest

from .sitecustomize import VARIABLE

KEEPS_WHAT_IS_IN_USE = os.name == "nt" or bool(os.environ.get(VARIABLE))

damages_what_is_open = pytest.mark.skipif(
    KEEPS_WHAT_IS_IN_USE, reason="takes away, or replaces, files that are open"
)
