"""What is promised of models."""
