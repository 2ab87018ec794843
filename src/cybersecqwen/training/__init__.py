"""Training, export and the hardware profile."""
