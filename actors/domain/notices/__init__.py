"""Notices: what users are told of their tournaments, who wants to be told what, and when another try is due."""
