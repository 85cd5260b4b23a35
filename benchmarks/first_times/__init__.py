"""First filters, and first hybrid questions after an ``add``."""
