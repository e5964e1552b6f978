"""A tournament's results as columns: for exports, and for the archive."""
