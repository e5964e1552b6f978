from __future__ import annotations

from typing import Any

import msgspec
import pytest

from actors.domain.messages import Changes, Spec
from actors.domain.values import MAX_ATTEMPTS
from serve_app.http.problems import Problem
from serve_app.http.request_schemas import (
    MAX_METADATA_BYTES,
    MAX_METADATA_DEPTH,
    MAX_METADATA_KEYS,
    AskedTournament,
    JoinRequest,
    Submission,
    changes_of,
    read_edit,
    read_join,
    read_new_tournament,
    read_submission,
)

NOW_MS = 1_800_000_000_000  # 2027-01-15T08:00:00Z
INSTANT: dict[str, Any] = {"name": "Sprint", "type": "instant", "capacity": 2, "duration_s": 60}
SCHEDULED: dict[str, Any] = {
    "name": "Exam",
    "type": "scheduled",
    "starts_at": "2027-01-15T09:00:00Z",
    "ends_at": "2027-01-15T10:00:00.5Z",
}


def asked(body: dict[str, Any] | bytes) -> AskedTournament:
    return read_new_tournament(body if isinstance(body, bytes) else msgspec.json.encode(body), NOW_MS)


def wrong(body: dict[str, Any] | bytes) -> dict[str, str]:
    problem = asked(body).problem
    assert problem is not None
    assert problem.status == 422
    return {error.path: error.message for error in problem.errors}


def test_a_create_becomes_a_spec() -> None:
    spec, digest, problem = asked({**SCHEDULED, "metadata": {"a": [1]}, "max_attempts": 3})
    assert problem is None
    assert spec == Spec(
        name="Exam",
        type="scheduled",
        starts_ms=NOW_MS + 3_600_000,
        ends_ms=NOW_MS + 7_200_500,
        max_attempts=3,
        metadata={"a": [1]},
    )
    assert len(digest) == 32


def test_what_is_left_out_has_its_default() -> None:
    spec = asked(INSTANT).spec
    assert spec == Spec(name="Sprint", type="instant", capacity=2, duration_ms=60_000, max_attempts=MAX_ATTEMPTS)


def test_names_are_kept_composed() -> None:
    spec = asked({**INSTANT, "name": "Ju\u0308rgen"}).spec
    assert spec is not None
    assert spec.name == "J\u00fcrgen"
    assert read_join(b'{"name": "Ju\\u0308rgen"}') == JoinRequest(name="Ju\u0308rgen")  # composed by who keeps it


def test_the_digest_is_of_what_is_asked_not_of_how_it_is_written() -> None:
    digest = asked(INSTANT).digest
    assert asked(msgspec.json.format(msgspec.json.encode(dict(reversed(INSTANT.items()))), indent=4)).digest == digest
    assert asked({**INSTANT, "visibility": "public", "capacity": 2}).digest == digest
    for changed in ({"capacity": 3}, {"name": "Sprint "}, {"metadata": {"a": 1}}, {"visibility": "private"}):
        assert asked({**INSTANT, **changed}).digest != digest


def test_the_digest_is_what_logs_hold() -> None:
    """A repeat under the same Idempotency-Key must be known after an upgrade."""
    assert asked(INSTANT).digest == "1e9e81467838f2e52a707e79e58260f3"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({**INSTANT, "name": " "}, "name"),
        ({**INSTANT, "name": "x" * 201}, "name"),
        ({**INSTANT, "type": "daily"}, "type"),
        ({**INSTANT, "capacity": 0}, "capacity"),
        ({**INSTANT, "capacity": 100_000_001}, "capacity"),
        ({**INSTANT, "capacity": 1.5}, "capacity"),
        ({**INSTANT, "duration_s": 0}, "duration_s"),
        ({**INSTANT, "duration_s": 0.0015}, "duration_s"),
        ({**INSTANT, "duration_s": 366 * 24 * 3600 + 1}, "duration_s"),
        ({**INSTANT, "duration_s": None}, "duration_s"),
        ({**INSTANT, "min_participants": 3}, "min_participants"),
        ({**INSTANT, "max_attempts": 0}, "max_attempts"),
        ({**INSTANT, "max_attempts": MAX_ATTEMPTS + 1}, "max_attempts"),
        ({**INSTANT, "ends_at": SCHEDULED["ends_at"]}, "ends_at"),
        ({**INSTANT, "metadata": []}, "metadata"),
        ({**INSTANT, "size": 7}, "size"),
        ({**SCHEDULED, "starts_at": "tomorrow"}, "starts_at"),
        ({**SCHEDULED, "starts_at": "2027-01-15T10:00:00.5Z"}, "ends_at"),
        ({**SCHEDULED, "starts_at": None}, "starts_at"),
        ({**SCHEDULED, "ends_at": "2027-01-15T08:00:00Z", "starts_at": "2027-01-15T07:00:00Z"}, "ends_at"),
        ({**SCHEDULED, "starts_at": "2027-01-15T08:00:00Z", "min_participants": 1}, "min_participants"),
    ],
)
def test_wrong_fields_of_a_create_are_named(body: dict[str, Any], path: str) -> None:
    assert list(wrong(body)) == [path]


def test_all_wrong_fields_of_a_create_are_named_at_once() -> None:
    assert list(wrong({"name": "", "type": "instant", "capacity": 1, "duration_s": 0.0001})) == ["name", "duration_s"]
    assert list(wrong({"name": "x", "type": "instant"})) == ["duration_s", "capacity"]


def test_an_end_right_after_now_is_taken() -> None:
    near = {**SCHEDULED, "starts_at": "2027-01-15T08:00:00Z", "ends_at": "2027-01-15T08:00:00.001Z"}
    assert asked(near).problem is None


def test_what_was_right_once_keeps_its_spec_and_digest() -> None:
    """A repeat of a create that comes after the end must find its tournament again."""
    late = read_new_tournament(msgspec.json.encode(SCHEDULED), NOW_MS + 10**9)
    assert late.problem is not None
    assert (late.spec, late.digest) == (asked(SCHEDULED).spec, asked(SCHEDULED).digest)


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", msgspec.json.encode({**INSTANT, "starts_at": "soon"})])
def test_what_no_tournament_was_ever_made_of_has_no_spec(body: bytes) -> None:
    found = asked(body)
    assert (found.spec, found.digest) == (None, "")
    assert found.problem is not None


def test_metadata_is_bounded() -> None:
    def refusal(metadata: dict[str, Any]) -> str:
        problem = asked({**INSTANT, "metadata": metadata}).problem
        return problem.detail if problem else ""

    def nested(levels: int) -> dict[str, Any]:
        inner: Any = {}
        for level in range(levels - 1):
            inner = [inner] if level % 2 else {"a": inner}
        return inner if isinstance(inner, dict) else {"a": inner}

    def sized(size_bytes: int) -> dict[str, Any]:
        return {"a": "x" * (size_bytes - len('{"a":""}'))}

    assert not refusal(sized(MAX_METADATA_BYTES))
    assert str(MAX_METADATA_BYTES + 1) in refusal(sized(MAX_METADATA_BYTES + 1))
    assert not refusal(nested(MAX_METADATA_DEPTH))
    assert "levels" in refusal(nested(MAX_METADATA_DEPTH + 2))
    keys = {str(n): 0 for n in range(MAX_METADATA_KEYS - 1)}
    assert not refusal({**keys, "in": {}})
    assert "keys" in refusal({**keys, "in": {"one": 0}})


LONE = '"\\ud800"'  # JSON can write half a character, which no text holds


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", LONE),
        ("type", LONE),
        ("starts_at", LONE),
        ("metadata", f'{{"a": [{LONE}]}}'),
        ("metadata", f"{{{LONE}: 1}}"),
        ("capacity", LONE),
        ("\\ud800", "1"),
    ],
)
def test_lone_surrogates_are_no_json(field: str, value: str) -> None:
    others = msgspec.json.encode({name: given for name, given in INSTANT.items() if name != field}).decode()
    found = asked(f'{others[:-1]}, "{field}": {value}}}'.encode())
    assert (found.spec, found.digest) == (None, "")
    assert found.problem is not None
    assert (found.problem.status, found.problem.code) == (400, "malformed")


def test_an_edit_says_what_changes_and_no_more() -> None:
    edit = read_edit(b'{"name": "Ju\\u0308rgen", "ends_at": "2027-01-15T10:00:00Z", "min_participants": 0}')
    assert changes_of(edit, NOW_MS) == Changes(name="J\u00fcrgen", ends_ms=NOW_MS + 7_200_000, min_participants=0)
    whole = read_edit(b'{"starts_at": "2027-01-15T07:00:00Z", "duration_s": 1.5, "capacity": 7, "metadata": {}}')
    assert changes_of(whole, NOW_MS) == Changes(starts_ms=NOW_MS - 3_600_000, duration_ms=1500, capacity=7, metadata={})


@pytest.mark.parametrize(("body", "path"), [(b"{}", ""), (b'{"ends_at": "2027-01-15T08:00:00Z"}', "ends_at")])
def test_an_edit_of_nothing_or_into_the_past_is_422(body: bytes, path: str) -> None:
    with pytest.raises(Problem) as caught:
        changes_of(read_edit(body), NOW_MS)
    assert (caught.value.status, [error.path for error in caught.value.errors]) == (422, [path])


@pytest.mark.parametrize(
    "body", [b'{"name": null}', b'{"type": "instant"}', b'{"capacity": null}', b'{"metadata": null}']
)
def test_an_edit_takes_nothing_away_and_nothing_for_good(body: bytes) -> None:
    with pytest.raises(Problem) as caught:
        read_edit(body)
    assert caught.value.status == 422


def test_a_join_may_be_empty() -> None:
    assert read_join(b"{}") == JoinRequest()
    for body in (
        b'{"name": ""}',
        b'{"name": "%b"}' % (b"x" * 65),
        b'{"invite": ""}',
        b'{"invite": "%b"}' % (b"x" * 501),
    ):
        with pytest.raises(Problem):
            read_join(body)
    assert read_join(b'{"name": "%b", "invite": "%b"}' % (b"x" * 64, b"y" * 500)).name == "x" * 64


def test_a_submission_is_read() -> None:
    assert read_submission(b'{"event_id": "e", "score": -1.25}') == Submission(event_id="e", score=-1.25)
    assert read_submission(b'{"event_id": "e", "score": 3, "user_id": "9"}').user_id == "9"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b'{"event_id": "e", "score": 1.001}', "score"),
        (b'{"event_id": "e", "score": 100000000}', "score"),
        (b'{"event_id": "e", "score": NaN}', "score"),
        (b'{"event_id": "e", "score": -Infinity}', "score"),
        (b'{"event_id": "e", "score": 1, "user_id": "0"}', "user_id"),
        (b'{"event_id": "e", "score": 1, "user_id": "01"}', "user_id"),
        (b'{"event_id": "e", "score": 1, "user_id": 1}', "user_id"),
        (b'{"event_id": "", "score": 1}', "event_id"),
        (b'{"event_id": "%b", "score": 1}' % (b"x" * 65), "event_id"),
        (b'{"score": 1}', "event_id"),
    ],
)
def test_a_wrong_submission_names_the_field(body: bytes, path: str) -> None:
    with pytest.raises(Problem) as caught:
        read_submission(body)
    assert (caught.value.status, [error.path for error in caught.value.errors]) == (422, [path])
