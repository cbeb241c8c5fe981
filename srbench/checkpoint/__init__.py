"""The one checkpoint protocol: format, writing, reading."""
