"""Bundles, signatures, bills of materials, freshness and drift: what an offline site needs."""
