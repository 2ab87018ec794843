"""Decoding algorithms: prefix sharing, best-first scoring, seeded sampling."""
