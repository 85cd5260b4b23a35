"""What a system does to tests that take away what is open, and how to give Linux its rules."""

from __future__ import annotations

import os

import pytest

from .sitecustomize import VARIABLE

KEEPS_WHAT_IS_IN_USE = os.name == "nt" or bool(os.environ.get(VARIABLE))

damages_what_is_open = pytest.mark.skipif(
    KEEPS_WHAT_IS_IN_USE, reason="takes away, or replaces, files that are open"
)

reads_what_is_removed = pytest.mark.skipif(
    KEEPS_WHAT_IS_IN_USE, reason="a second reader keeps open what is to be gone"
)

makes_links = pytest.mark.skipif(
    os.name == "nt", reason="makes links or FIFOs, which Windows lacks or grants to few"
)
