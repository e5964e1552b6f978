"""The texts of notices: `templates/<language>/<event>.j2`, in Jinja's sandbox.

A template's first line is the title, what follows is the text. The e-mail's HTML is made of both by `letter.html.j2`, which escapes them.
Names are users' own: a template may show them, and do nothing else with them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from actors.domain.notices.events import Notice
from actors.domain.notices.settings import NotificationSettings
from actors.domain.scoring.display import score_text
from storage.ports import Letter

FOLDER: Final = Path(__file__).parent / "templates"
HTML: Final = ".html.j2"


def _escaped(name: str | None) -> bool:
    # not `select_autoescape()`, which looks at the last ending alone and leaves `.html.j2` as it is
    return name is not None and name.endswith(HTML)


class Templates:
    """Renders letters. `page_url`: the address of the page, for links; empty: none."""

    def __init__(self, folder: Path = FOLDER, page_url: str = "") -> None:
        self._page_url = page_url.rstrip("/")
        self._environment = ImmutableSandboxedEnvironment(
            loader=FileSystemLoader(folder),
            autoescape=_escaped,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )

    def letter(self, notice: Notice, settings: NotificationSettings) -> Letter:
        """A notice in the language of its user. Raises jinja2.TemplateError for a template that is wrong."""
        link = f"{self._page_url}/#/t/{notice.event.tournament_id}" if self._page_url else ""
        if link and "invite" in notice.event.details:
            link += f"?invite={notice.event.details['invite']}"  # the page lets them in by it
        values = _values(notice)
        rendered = self._environment.get_template(f"{settings.language}/{notice.event.event}.j2").render(values)
        title, _, text = rendered.strip().partition("\n")
        title = " ".join(title.split())  # a header of a mail is one line
        paragraphs = [part.strip() for part in text.split("\n\n") if part.strip()]
        html = self._environment.get_template(f"letter{HTML}").render(
            language=settings.language, title=title, paragraphs=paragraphs, link=link
        )
        return Letter(notice, settings, title, "\n\n".join([*paragraphs, link] if link else paragraphs), html)


def _values(notice: Notice) -> dict[str, Any]:
    event = notice.event
    return {
        "name": event.name,
        "player": notice.user_name or "",
        "rank": notice.rank,
        "score": _score(notice),
        "starts_at": _time(event.starts_ms),
        "ends_at": _time(event.ends_ms),
        "details": dict(event.details),
    }


def _score(notice: Notice) -> str | float | None:
    """As the tournament shows scores."""
    display = notice.event.display
    if notice.score is None or display is None:
        return notice.score
    return score_text(round(notice.score * 100), display.unit, display.decimals, thousands=",")


def _time(time_ms: int | None) -> str:
    return "" if time_ms is None else f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"
