"""Photographs with LR as a small camera takes it, as a plugin of srbench."""
