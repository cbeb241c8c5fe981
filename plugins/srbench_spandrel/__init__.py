"""Weights of every architecture that spandrel recognises, as a plugin of srbench."""
