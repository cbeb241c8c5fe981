"""srbench: trains, resumes and scores super-resolution models under one protocol."""

__version__ = "0.1.0"
