"""Examples and settings refuse what nothing can be learned from."""

from __future__ import annotations

import pytest

from lfm2_colbert_rag.errors import ConfigError, InputError
from lfm2_colbert_rag.training import Example, TrainingSettings


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((" \n", ("a",)), "question of an example must be text"),
        ((7, ("a",)), r"int \(7\)"),
        (("q", ()), "names no passage that answers it"),
        (("q", ("a", 3)), "positives .* tuple of ids"),
        (("q", ("a",), ["b"]), "negatives .* tuple of ids"),
        (("q", ("a", "b"), ("c", "b")), "'b' both as an answer and as none"),
    ],
)
def test_examples_that_teach_nothing_are_refused(arguments, told):
    with pytest.raises(InputError, match=told):
        Example(*arguments)


@pytest.mark.parametrize(
    "options",
    [
        {"method": "full"},
        {"steps": -1},
        {"steps": 2.0},
        {"batch": 0},
        {"batch": True},
        {"memory": 0},
        {"minutes": 0},
        {"minutes": float("inf")},
        {"temperature": float("nan")},
        {"learning_rate": -1e-3},
        {"learning_rate": "fast"},
        {"mix": 0.0},
        {"mix": 1.5},
        {"passage_length": 3},
        {"seed": -1},
    ],
)
def test_settings_that_nothing_could_follow_are_refused_by_name(options):
    (name,) = options
    with pytest.raises(ConfigError, match=f"^{name} must be"):
        TrainingSettings(**options)


def test_what_is_not_said_is_the_methods_own():
    assert TrainingSettings().plan.steps == 60
    assert TrainingSettings().plan.mix == 1.0
    assert TrainingSettings(method="layers").plan.mix == 0.5
    plan = TrainingSettings(method="lora", steps=0, batch=3, mix=0.25, learning_rate=1).plan
    assert (plan.steps, plan.batch, plan.mix, plan.learning_rate) == (0, 3, 0.25, 1)
