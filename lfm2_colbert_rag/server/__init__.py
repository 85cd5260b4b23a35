"""An index over HTTP, for those who hold a key."""
