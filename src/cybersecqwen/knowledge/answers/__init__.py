"""Answers composed from pages and their relations, one module for what belongs together."""
