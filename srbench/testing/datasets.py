"""What is promised of datasets."""
