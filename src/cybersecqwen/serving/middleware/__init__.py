"""What every request passes, one duty a module."""
