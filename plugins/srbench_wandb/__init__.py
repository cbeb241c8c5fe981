"""Logs of runs for Weights & Biases."""
