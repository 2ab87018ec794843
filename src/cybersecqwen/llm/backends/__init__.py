"""Language-model backends behind one Protocol."""
