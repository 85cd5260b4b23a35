"""Adapting a model to one's own passages, on one's own machine.

Importing this loads neither torch nor an engine, and nothing here ever speaks to a network.
"""

from __future__ import annotations
