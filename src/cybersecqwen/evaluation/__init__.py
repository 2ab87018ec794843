"""Tasks, protocols, logs, scoring and statistics."""
