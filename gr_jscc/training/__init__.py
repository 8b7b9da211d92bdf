"""Training: recipes, data, the loop, and what each codec asks of it."""
