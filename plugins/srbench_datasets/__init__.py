"""The datasets srbench knows by name, and any folder of pictures, as a plugin of srbench."""
