"""Adversarial losses, as a plugin of srbench."""
