"""Vulnerability records: one module a format."""
