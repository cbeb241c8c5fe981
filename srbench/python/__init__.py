"""What `import srbench` gives, and what the command line calls."""
