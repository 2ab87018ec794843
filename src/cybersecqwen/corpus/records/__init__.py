"""The corpus of labelled vulnerability records."""
