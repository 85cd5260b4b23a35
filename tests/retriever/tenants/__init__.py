"""Views of a tenant."""
