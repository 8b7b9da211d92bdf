"""Channel models: differentiable ones for training, textbook ones for comparison."""
