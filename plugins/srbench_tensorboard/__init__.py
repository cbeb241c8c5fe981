"""Logs of runs for TensorBoard."""
