"""Records, taxonomy, text, files and errors: what every other room may import."""
