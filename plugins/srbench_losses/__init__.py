"""Pixel losses, as a plugin of srbench."""
