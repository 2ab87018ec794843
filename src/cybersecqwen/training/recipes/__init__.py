"""Recipes of everything that can be trained. Readable on a base install, without torch."""
