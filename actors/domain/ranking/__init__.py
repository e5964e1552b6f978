"""Exact live rankings in columns: order, its two forms, keys, and the map from user ids to slots."""
