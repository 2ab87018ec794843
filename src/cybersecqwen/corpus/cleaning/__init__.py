"""Raw records to clean, decontaminated, split rows."""
