"""LapSRN, the Laplacian pyramid network of Lai et al. 2017, as a plugin of srbench."""
