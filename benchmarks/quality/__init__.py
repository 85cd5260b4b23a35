"""Quality of retrieval on judged sets: late, lexical and hybrid, beside bm25s and the teacher.

``python -m benchmarks.quality --data DIR`` measures, ``python -m benchmarks.quality.tables``
writes the tables of ``docs/quality.md`` from what is committed.
"""
