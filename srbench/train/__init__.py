"""One RunSpec → checkpoints."""
