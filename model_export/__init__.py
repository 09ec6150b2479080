"""Training of restoration networks, and their way into model packages. Research use only."""
