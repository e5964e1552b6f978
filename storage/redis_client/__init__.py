"""Connections to the nodes of a Redis, single or cluster, that survive its failovers."""
