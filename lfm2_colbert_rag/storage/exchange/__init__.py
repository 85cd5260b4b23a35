"""Ways in and out of an index: our own exports, and files of vectors that other tools wrote."""
