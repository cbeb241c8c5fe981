"""The perceptual loss, as a plugin of srbench."""
