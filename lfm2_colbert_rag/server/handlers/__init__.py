"""What answers requests: each holds a view of an index, and has no way to more."""
