"""The calls of the api as FastAPI's path operations, by resource. They describe a call and hand it to its handler."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

from serve_app.api.routers import (
    analytics,
    archive,
    documents,
    exports,
    invitations,
    operations,
    participants,
    prizes,
    process,
    scores,
    series,
    standards,
    tournaments,
    users,
)

ROUTERS: Final[tuple[APIRouter, ...]] = (
    tournaments.router,
    participants.router,
    invitations.router,
    series.router,
    prizes.router,
    scores.router,
    standards.router,
    exports.router,
    archive.router,
    users.router,
    operations.router,
    analytics.router,
    documents.router,
    process.router,
)
