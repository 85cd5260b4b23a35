"""Writing in a process of its own: what is added there never makes a search wait."""
