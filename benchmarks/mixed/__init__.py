"""Questions to a corpus of many languages at once, and to whom its languages make a difference.

``python -m benchmarks.mixed --data DIR --parallel DIR`` measures; ``python -m
benchmarks.mixed.tables`` draws the picture and writes the tables of ``docs/many-languages.md``.
"""
