"""Activations by the operators that compute them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..foreign_values import ForeignActivation
from ..layouts import Activation
from .graph import MICROSOFT, Graph

# Operator, its domain, and the attributes with which it does what torch does by default.
_ACTIVATIONS: Mapping[Activation | ForeignActivation, tuple[str, str, Mapping[str, Any]]] = {
    "tanh": ("Tanh", "", {}),
    "relu": ("Relu", "", {}),
    "gelu": ("Gelu", "", {"approximate": "none"}),
    "gelu_tanh": ("Gelu", "", {"approximate": "tanh"}),
    "silu": ("QuickGelu", MICROSOFT, {"alpha": 1.0}),  # in one pass
    "sigmoid": ("Sigmoid", "", {}),
    "leaky_relu": ("LeakyRelu", "", {"alpha": 0.01}),
    "elu": ("Elu", "", {"alpha": 1.0}),
    "mish": ("Mish", "", {}),
    "softplus": ("Softplus", "", {}),
}


def activate(graph: Graph, x: str, name: Activation | ForeignActivation) -> str:
    """Apply an activation that is not the identity to a value; return the name of the result."""
    operator, domain, attributes = _ACTIVATIONS[name]
    return graph.node(operator, x, domain=domain, **attributes)
