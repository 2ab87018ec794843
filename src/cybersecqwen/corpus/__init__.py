"""Records in, training files out."""
