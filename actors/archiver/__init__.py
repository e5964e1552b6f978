"""Writes finished tournaments into the archive, lets them leave the records, and takes old ones away."""
