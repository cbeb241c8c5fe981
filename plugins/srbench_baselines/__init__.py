"""Models without weights, to compare trained ones with, as a plugin of srbench."""
