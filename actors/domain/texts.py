"""Names as people may give them, and how they are searched: by Unicode, so that what looks empty or hidden is no name."""

from __future__ import annotations

import unicodedata
from typing import Final

# ZERO WIDTH NON-JOINER and JOINER: words of Persian and Indic scripts and many emoji are written with them, between two characters.
_JOINERS: Final = "\u200c\u200d"
# Characters that show nothing though their category says letter or symbol: fillers of Hangul, and the blank of Braille.
_FILLERS: Final = "\u115f\u1160\u2800\u3164\uffa0"
MOST_COMPOSED: Final = 4  # characters that NFC makes one of, at most
_KINDS: Final = {
    "Cc": "control characters",
    "Cf": "invisible formatting characters (zero-width or direction marks)",
    "Cs": "lone surrogates",
    "Zl": "line separators",
    "Zp": "paragraph separators",
}


def normal_name(text: str) -> str:
    """A name as it is kept: Unicode's form NFC."""
    return unicodedata.normalize("NFC", text)


def check_name(text: str, max_chars: int) -> None:
    """Raises ValueError for a name that is empty, blank or too long (counted as kept), or holds what cannot be seen."""
    name = normal_name(
        text[: MOST_COMPOSED * max_chars + 1]
    )  # the rest cannot make it short enough, and costs its square
    if not 1 <= len(name) <= max_chars:
        raise ValueError(f"expected 1 to {max_chars} characters, got {len(name)}")
    for at, char in enumerate(name):
        kind = unicodedata.category(char)
        if kind in _KINDS and not (char in _JOINERS and _inside_word(name, at)):
            raise ValueError(f"expected no {_KINDS[kind]}, got U+{ord(char):04X}")
    if not any(_is_visible(char) for char in name):
        raise ValueError("expected something to see, got a blank name")


def _inside_word(name: str, at: int) -> bool:
    around = name[at - 1 : at] + name[at + 1 : at + 2]
    return len(around) == 2 and all(unicodedata.category(char)[0] in "LMNS" for char in around)


def _is_visible(char: str) -> bool:
    return unicodedata.category(char)[0] not in "CMZ" and char not in _FILLERS


def folded(text: str) -> str:
    """A text for searching: without case, composed, runs of spaces as one and none around. Two of the same look fold alike."""
    if text.isascii():
        return " ".join(text.lower().split())  # the same, ten times as fast
    caseless = unicodedata.normalize("NFD", unicodedata.normalize("NFD", text).casefold())
    return " ".join(unicodedata.normalize("NFC", caseless).split())
