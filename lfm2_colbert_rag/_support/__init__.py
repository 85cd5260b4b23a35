"""Helpers that know nothing of retrieval: extras, progress, graphemes, lines of files, checks."""
