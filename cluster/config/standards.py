"""The settings of the field's own formats: LTI Advantage, xAPI (see docs/standards.md)."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from serve_app.standards.foreign_ids import parse_foreign_ids
from serve_app.standards.lti_tools import parse_tools
from serve_app.standards.watched_file import read_file


class StandardsSettings(BaseSettings):
    """See the module. The files are read at the start, so that a wrong one is told there, and again when they have changed."""

    lti_tools: str | None = Field(
        None, min_length=1, description="JSON file of the tools of LTI that may send scores; without it there are none."
    )
    lti_url: str | None = Field(
        None,
        min_length=1,
        description="URL of the api as tools of LTI know it, `https://host`; without it PALIO_HOST and PALIO_PORT.",
    )
    foreign_ids: str | None = Field(
        None,
        min_length=1,
        description="JSON file of who and what other systems' ids are here, for xAPI and LTI; without it ids stand for themselves.",
    )

    @field_validator("lti_tools")
    @classmethod
    def _tools(cls, value: str | None) -> str | None:
        if value is not None:
            _read(value, parse_tools)
        return value

    @field_validator("foreign_ids")
    @classmethod
    def _ids(cls, value: str | None) -> str | None:
        if value is not None:
            _read(value, parse_foreign_ids)
        return value

    @field_validator("lti_url")
    @classmethod
    def _known_as(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("expected http:// or https://")
        return None if value is None else value.rstrip("/")


def _read(path: str, parse: Callable[[bytes], object]) -> None:
    """Raises ValueError with what is wrong with a file."""
    try:
        read_file(path, parse)
    except OSError as error:
        raise ValueError(f"expected a file that can be read: {error.strerror}") from None
