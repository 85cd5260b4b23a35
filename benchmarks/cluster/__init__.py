"""An index in an engine that spreads over machines: what it finds, and what that costs.

``python -m benchmarks.cluster --data DIR --parallel DIR`` measures; ``edge`` is Qdrant's engine in
this process, which tests use, too.
"""
