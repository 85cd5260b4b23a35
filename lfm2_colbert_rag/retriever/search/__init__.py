"""The read path: a question to rankings, rankings to hits, and why each was found."""
