"""DISTS, a distance of pictures that forgives texture in another place, as a plugin of srbench."""
