"""NIQE, how natural a picture's statistics are, without a reference, as a plugin of srbench."""
