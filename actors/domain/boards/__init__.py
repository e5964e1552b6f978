"""Boards beside the global table: the ranks within groups of members, and the tables of teams."""
