"""What other programs made: weights files and folders of SR pictures, scored as srbench's own runs are."""
