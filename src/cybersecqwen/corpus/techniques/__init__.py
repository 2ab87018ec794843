"""Sentences labelled with ATT&CK techniques."""
