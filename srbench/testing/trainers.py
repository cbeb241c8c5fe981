"""What is promised of trainers."""
