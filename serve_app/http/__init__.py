"""Requests and responses as the handlers see them: forms, bodies, problems."""
