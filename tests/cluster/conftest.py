"""An index in each engine."""

from __future__ import annotations

import pytest

from .engines import ENGINES, engine_of, opened


@pytest.fixture(params=ENGINES)
def backend(request):
    with engine_of(request.param) as made:
        yield made


@pytest.fixture
def remote(backend):
    return opened(backend)
