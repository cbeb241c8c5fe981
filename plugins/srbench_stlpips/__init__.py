"""ST-LPIPS, LPIPS by networks that tolerate shifts, as a plugin of srbench."""
