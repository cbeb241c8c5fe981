"""What is promised of degradations."""
