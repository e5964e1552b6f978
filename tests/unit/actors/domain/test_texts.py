"""Names and searching: what Unicode shows is what counts."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain.texts import check_name, folded, normal_name


@pytest.mark.parametrize(
    "name",
    [
        "Ada",
        "Zoe\u0308",  # decomposed
        "O'Brien-Smith (2)",
        "\u7121\u540d",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian, with a joiner inside a word
        "\u0915\u094d\u200d\u0937",  # Devanagari, after a virama
        "\U0001f469\u200d\U0001f680",  # an emoji of two
        "\u2764\ufe0f\u200d\U0001f525",
        "\u05d0\u05d1 abc",
        "a\u00a0b",
        "x" * 64,
        "e\u0301" * 64,
        "\U0001f600" * 64,
    ],
)
def test_names(name: str) -> None:
    check_name(name, 64)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("", "1 to 64 characters, got 0"),
        ("x" * 65, "1 to 64 characters, got 65"),
        ("\ufb2c" * 30, "1 to 64 characters, got 90"),  # NFC makes three of one
        ("a\x00", "control characters, got U\\+0000"),
        ("a\nb", "control characters, got U\\+000A"),
        ("a\x85b", "control characters, got U\\+0085"),
        ("a\u2028b", "line separators, got U\\+2028"),
        ("a\u2029b", "paragraph separators, got U\\+2029"),
        ("a\u200bb", "formatting characters"),
        ("\ufeffab", "formatting characters"),
        ("a\u00adb", "formatting characters"),
        ("ab\u202e", "formatting characters"),
        ("a\u2066b\u2069", "formatting characters"),
        ("\u200fab", "formatting characters"),
        ("a\u2060b", "formatting characters"),
        ("\u200dab", "formatting characters"),  # joiners join two characters of a word
        ("ab\u200c", "formatting characters"),
        ("a \u200db", "formatting characters"),
        ("a\u200d\u200db", "formatting characters"),
        ("a\ud800", "lone surrogates"),
        (" ", "blank"),
        ("\u00a0\u2003\u3000", "blank"),
        ("\u3164", "blank"),
        ("\u2800\u2800", "blank"),
        ("\u115f\u1160", "blank"),
        ("\u0301", "blank"),
        ("\ufe0f", "blank"),
        ("\ue000", "blank"),
    ],
)
def test_what_is_no_name(name: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        check_name(name, 64)


@given(st.text(max_size=30))
def test_a_name_that_is_kept_is_one(name: str) -> None:
    try:
        check_name(name, 64)
    except ValueError:
        return
    check_name(normal_name(name), 64)
    assert normal_name(normal_name(name)) == normal_name(name)
    name.encode()


def test_a_very_long_text_is_not_put_in_order_first() -> None:
    marks = "a" + "\u0301\u0323" * 500_000
    began = time.process_time()
    with pytest.raises(ValueError, match="expected 1 to 64 characters"):
        check_name(marks, 64)
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Zo\u00eb", "ZOE\u0308"),
        ("  Spring \u00a0 exam\t", "spring exam"),
        ("Stra\u00dfe", "STRASSE"),
        ("a\u0323\u0307", "A\u0307\u0323"),
        ("\u1fb7", "\u03b1\u0345\u0342"),
    ],
)
def test_what_looks_alike_folds_alike(one: str, other: str) -> None:
    assert folded(one) == folded(other)


@given(st.text())
def test_folding_again_changes_nothing(text: str) -> None:
    once = folded(text)
    assert folded(once) == once
    assert unicodedata.is_normalized("NFC", once)
