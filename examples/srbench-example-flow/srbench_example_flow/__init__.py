"""Flow matching for super-resolution, as a plugin of srbench."""
