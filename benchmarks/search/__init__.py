"""Search beside its peers: recall, quality, latency, build, size and memory, in one run.

``python -m benchmarks.search --help`` says how; ``corpus`` makes the passages, ``vectors`` encodes
them once for everybody.
"""
