"""Exact search: bytes of every vector with a proved bound first, then float32 for what may win."""
