"""Benchmark questions and saved answers."""
