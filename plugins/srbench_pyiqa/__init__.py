"""The metrics of pyiqa, by its names for them, as a plugin of srbench."""
