"""Training of the embedded encoders."""
