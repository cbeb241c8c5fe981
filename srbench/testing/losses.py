"""What is promised of losses."""
