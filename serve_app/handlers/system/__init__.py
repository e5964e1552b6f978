"""Calls about Palio itself: what it is and where, whether it is well."""
