"""Output rows and their writers, one module a format."""
