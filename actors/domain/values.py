"""Values of the contract: ids, scores in hundredths, times; and how they are read and written.

Scores are DECIMAL(10,2) outside and 64-bit hundredths inside. Ids are BIGINTs outside 0, decimal strings in JSON.
"""

from __future__ import annotations

import functools
import hashlib
import math
import re
from datetime import UTC, datetime
from typing import Final

from actors.domain.errors import ScoreValueError

MAX_ID: Final = 2**63 - 1
MAX_HUNDREDTHS: Final = 9_999_999_999  # 99,999,999.99, the largest DECIMAL(10,2)
MAX_ATTEMPTS: Final = 10_000
LATEST_MS: Final = 221_845_392_000_000  # the year 9000: what follows a time can be written as RFC 3339, too
_RFC3339: Final = re.compile(
    r"(?P<year>\d{4})(?P<day>-\d\d-\d\d)[Tt](?P<minute>\d\d:\d\d):(?P<second>\d\d)(?P<rest>(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d))",
    re.ASCII,
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LEAP_YEAR: Final = "2000"


def parse_id(text: str) -> int:
    """Read a decimal id, 1 .. 2^63-1, without sign, spaces or leading zeros. Raises ValueError."""
    if not (text.isascii() and text.isdigit()) or text[0] == "0" or len(text) > 19:
        raise ValueError(f"expected a decimal id from 1 to {MAX_ID}, got {text[:40]!r}")
    value = int(text)
    if value > MAX_ID:
        raise ValueError(f"expected a decimal id from 1 to {MAX_ID}, got {text[:40]!r}")
    return value


def hundredths(score: float) -> int:
    """Turn a JSON number into hundredths, exactly. Raises ScoreValueError for anything a DECIMAL(10,2) cannot hold.

    A double holds every DECIMAL(10,2) to better than 1e-8, so dividing the rounded hundredths gives the same double
    back if, and only if, the number had at most two decimals.
    """
    if isinstance(score, bool) or not isinstance(score, int | float) or not math.isfinite(score):
        raise ScoreValueError(f"expected a number with at most 2 decimals, got {score!r}")
    if not -1e8 < score < 1e8:
        raise ScoreValueError(f"expected a score from -99999999.99 to 99999999.99, got {score!r}")
    scaled = round(score * 100)
    if scaled / 100 != score:
        raise ScoreValueError(f"expected at most 2 decimals, got {score!r}")
    return scaled


def decimal_score(scaled: int) -> float | int:
    """Hundredths as a JSON number: an integer where it is whole."""
    whole, rest = divmod(scaled, 100)
    return whole if rest == 0 else scaled / 100


def rfc3339(time_ms: int) -> str:
    """Milliseconds since 1970 as RFC 3339, UTC, with milliseconds: `2026-05-01T09:00:00.000Z`."""
    return f"{_second(time_ms // 1000)}.{time_ms % 1000:03d}Z"


@functools.lru_cache(maxsize=4096)
def _second(time_s: int) -> str:
    """Remembered, since scores come together and a tournament's times are shown again and again: formatting costs 2 us."""
    return f"{datetime.fromtimestamp(time_s, UTC):%Y-%m-%dT%H:%M:%S}"


def parse_time(text: str) -> int:
    """RFC 3339 with a zone, to milliseconds since 1970, from 1970 to the year 9000. Raises ValueError.

    A leap second, 23:59:60 UTC, is the second after it, as Unix time has it.
    """
    matched = _RFC3339.fullmatch(text)
    if matched is None:
        raise _no_time(text)
    # Python has no year 0, which is a leap year, too; it is out of range, yet a time
    year = _LEAP_YEAR if matched["year"] == "0000" else matched["year"]
    leap = matched["second"] == "60"
    second = "59" if leap else matched["second"]
    try:
        moment = datetime.fromisoformat(f"{year}{matched['day']}T{matched['minute']}:{second}{matched['rest'].upper()}")
    except ValueError:
        raise _no_time(text) from None
    delta = moment - _EPOCH
    if leap and delta.seconds // 60 != 24 * 60 - 1:
        raise _no_time(text)
    time_ms = (delta.days * 86_400 + delta.seconds + leap) * 1000 + delta.microseconds // 1000
    if year != matched["year"] or not 0 <= time_ms <= LATEST_MS:
        raise ValueError(f"expected a time from 1970 to {rfc3339(LATEST_MS)}, got {text[:40]!r}")
    return time_ms


def _no_time(text: str) -> ValueError:
    """The error for what is no RFC 3339 time at all."""
    return ValueError(f"expected an RFC 3339 time with a zone such as 2026-05-01T09:00:00.000Z, got {text[:40]!r}")


def tournament_id(caller: int, token: str) -> int:
    """The 63-bit id of a tournament: a hash of its creator and the Idempotency-Key (or a random token).

    So a repeated create finds its first answer, without a table of keys.
    """
    digest = hashlib.blake2b(f"{caller}:{token}".encode(), digest_size=8, person=b"palio-tournament"[:16]).digest()
    return (int.from_bytes(digest, "big") >> 1) or 1


def derived_event_id(kind: str, *parts: str) -> str:
    """An event id that stands for these texts in their order, however long they are: `kind-` and 128 bits of their hash in hex."""
    digest = hashlib.blake2b(digest_size=16, person=b"palio-event-id")
    for part in parts:
        encoded = part.encode(errors="surrogatepass")
        digest.update(len(encoded).to_bytes(4, "big"))  # lengths keep the parts apart
        digest.update(encoded)
    return f"{kind}-{digest.hexdigest()}"


def partition_of(tournament: int, partitions: int) -> int:
    """The partition of a tournament's records: murmur2 of its decimal id, as Kafka's default Java partitioner."""
    return (murmur2(str(tournament).encode()) & 0x7FFFFFFF) % partitions


def murmur2(data: bytes) -> int:
    """Kafka's murmur2 (org.apache.kafka.common.utils.Utils.murmur2), as an unsigned 32-bit integer."""
    mask, m = 0xFFFFFFFF, 0x5BD1E995
    h = (0x9747B28C ^ len(data)) & mask
    end = len(data) & ~3
    for at in range(0, end, 4):
        k = int.from_bytes(data[at : at + 4], "little") * m & mask
        k ^= k >> 24
        h = (h * m & mask) ^ (k * m & mask)
    rest = data[end:]
    if rest:
        h ^= int.from_bytes(rest, "little")
        h = h * m & mask
    h ^= h >> 13
    h = h * m & mask
    return h ^ (h >> 15)
