"""A network that is folded after training, as a plugin of srbench."""
