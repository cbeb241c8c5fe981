"""What is promised of metrics."""
