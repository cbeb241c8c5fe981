"""Whether a component keeps the promises of its kind, and what authors of plugins test with."""
