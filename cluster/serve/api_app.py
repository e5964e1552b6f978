"""Hands the api's ASGI app from a replica's constructor to Serve's ingress, which asks for it right after.

In a module of its own: Serve pickles the deployment's class by value, with copies of the globals it names, so that a global
beside the class would be another one in the replica.
"""

from __future__ import annotations

from fastapi import FastAPI

_offered: list[FastAPI] = []


def offer(app: FastAPI) -> None:
    """Called by the replica's constructor."""
    _offered[:] = [app]


def offered() -> FastAPI:
    """Called by Serve's ingress. Raises IndexError before `offer`."""
    return _offered[0]
