"""The texts: whole in every language, escaped where they are HTML, unable to do anything but show."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from jinja2 import UndefinedError
from jinja2.exceptions import SecurityError

from actors.domain.messages.spec import Display
from actors.domain.notices.events import EVENTS, EventName, Notice, NoticeEvent, decode_event, encode_event
from actors.domain.notices.settings import LANGUAGES, Language, NotificationSettings
from storage.channels.templates import FOLDER, Templates

NAME = '<b>{{ 7*7 }} & "Cup"</b>'


def notice(event: EventName, **more: object) -> Notice:
    details: dict[str, str] = more.pop("details", {})  # type: ignore[assignment]
    told = NoticeEvent(
        event=event, tournament_id=5, name=NAME, at_ms=1, starts_ms=1_790_000_000_000, ends_ms=1_790_000_600_000,
        details=details,
    )  # fmt: skip
    return Notice(key="k", event=told, user_id=7, user_name="Ann\u2069", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("event", EVENTS)
def test_every_event_in_every_language(event: EventName, language: Language) -> None:
    templates = Templates(page_url="https://palio.example/")
    for more in ({}, {"rank": 3, "score": 9.5, "details": {"prize": "100.01 EUR", "invite": "abc", "reason": "x"}}):
        letter = templates.letter(notice(event, **more), NotificationSettings(language=language))
        assert NAME in letter.title
        assert "\n" not in letter.title
        assert letter.text.endswith("https://palio.example/#/t/5?invite=abc" if more else "https://palio.example/#/t/5")
        assert ("Hallo Ann" if language == "de" else "Hello Ann") in letter.text
        assert "<b>" not in letter.html
        assert "&lt;b&gt;{{ 7*7 }} &amp; &#34;Cup&#34;&lt;/b&gt;" in letter.html
        assert f'lang="{language}"' in letter.html
        if more and event == "ended":
            assert "3" in letter.title
            assert "9.5" in letter.text
        if more and event == "prize_won":
            assert "100.01 EUR" in letter.text
        if more and event == "invited":
            assert "abc" in letter.text
    assert "#/t/" not in Templates().letter(notice(event), NotificationSettings()).html


def test_a_score_is_in_its_tournaments_unit() -> None:
    for display, words in (
        (Display(unit="time", decimals=0), "46:54"),
        (Display(decimals=1), "2,814.0"),
        (None, "2814.0"),
    ):
        plain = notice("ended", rank=1, score=2814.0)
        told = msgspec.structs.replace(plain, event=msgspec.structs.replace(plain.event, display=display))
        for language in LANGUAGES:
            assert words in Templates().letter(told, NotificationSettings(language=language)).text
            assert decode_event(encode_event(told.event)) == told.event


def test_all_templates_are_known() -> None:
    found = {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.j2")}
    assert found == {f"{language}/{event}.j2" for language in LANGUAGES for event in EVENTS} | {"letter.html.j2"}


@pytest.mark.parametrize(
    ("template", "error"),
    [
        ("{{ nothing }}", UndefinedError),
        ("{{ ''.__class__.__mro__ }}", SecurityError),
        ("{{ details.update({'a': 'b'}) }}", SecurityError),
    ],
)
def test_a_template_can_only_show(tmp_path: Path, template: str, error: type[Exception]) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "ended.j2").write_text(template, encoding="utf-8")
    with pytest.raises(error):
        Templates(tmp_path).letter(notice("ended"), NotificationSettings())
