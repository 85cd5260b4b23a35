"""A nursery for the cases of this folder, and the table of what became of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .client import Client, require_no_faults
from .report import table

_KEY = "cases"


@pytest.fixture(scope="session")
def nursery() -> Iterator[Client]:
    """Return who plays cases."""
    client = Client()
    yield client
    client.close()


@pytest.fixture
def play(nursery: Client, record_property):
    """Return a function that plays cases, keeps what became of them, and fails for any fault."""

    def play(names: list[str]) -> None:
        results = nursery.play(names)
        record_property(_KEY, results)
        require_no_faults(results)

    return play


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the table."""
    results = [
        result
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", "") == "call"
        for key, value in getattr(report, "user_properties", ())
        if key == _KEY
        for result in value
    ]
    if results:
        terminalreporter.section("faults")
        terminalreporter.write_line(table(results))
