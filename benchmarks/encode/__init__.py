"""Speed and memory of encoding, side by side with PyLate and sentence-transformers.

Every contender runs in its own virtual environment, on the same random weights of the published
shape and the same texts, in a process of its own::

    python -m benchmarks.encode --scratch DIR      # measures, writes results/encode.json
    python -m benchmarks.encode.report             # renders the table and plots/encode.png

The values of weights do not change what is computed, so random ones measure as well as real ones.
"""
