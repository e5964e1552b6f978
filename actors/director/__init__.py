"""The director: which owner has what, and whether log and records belong together."""
