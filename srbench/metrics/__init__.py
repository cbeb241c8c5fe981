"""Metrics: pure functions on tensors, and the protocol they are called under."""
