"""The lexical leg: words of every script, posting lists in the catalog, BM25 over them."""
