"""Training and export of models. Recipes need the base install alone; the rest an extra."""
