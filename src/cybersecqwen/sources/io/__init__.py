"""Bytes to elements: streams, archives, JSON, downloads."""
