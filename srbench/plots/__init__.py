"""Still figures of what views hold, by matplotlib, for a paper."""
