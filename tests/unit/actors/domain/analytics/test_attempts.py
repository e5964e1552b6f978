"""Attempts as blocks of bytes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain.analytics import attempts as module
from actors.domain.analytics.attempts import Attempts, AttemptsError, Columns, decode_blocks, encode_block
from actors.domain.values import MAX_HUNDREDTHS, MAX_ID

rows = st.lists(
    st.tuples(
        st.integers(0, 1 << 50),
        st.integers(0, 1 << 43),
        st.integers(1, MAX_ID),
        st.integers(-MAX_HUNDREDTHS, MAX_HUNDREDTHS),
    ),
    max_size=30,
    unique_by=lambda row: row[0],
).map(sorted)


def noted(some: list[tuple[int, int, int, int]]) -> Attempts:
    attempts = Attempts()
    for row in some:
        assert attempts.add(*row)
    return attempts


def told(columns: Columns) -> list[tuple[int, ...]]:
    return [tuple(row) for row in np.array(columns).T.tolist()]


@given(rows)
def test_what_is_noted_is_read_back(some: list[tuple[int, int, int, int]]) -> None:
    assert told(decode_blocks(noted(some).blocks())) == some


@given(rows, st.integers(0, 30), st.integers(0, 30))
def test_what_several_blocks_tell_is_there_once(some: list[tuple[int, int, int, int]], a: int, b: int) -> None:
    blocks = [*noted(some[min(a, b) :]).blocks(), *noted(some[: max(a, b)]).blocks(), *noted(some).blocks()]
    assert told(decode_blocks(blocks)) == some


def test_what_is_durable_is_forgotten() -> None:
    attempts = noted([(3, 1, 1, 1), (5, 1, 1, 1), (9, 1, 1, 1)])
    attempts.forget(5)
    assert told(decode_blocks(attempts.blocks())) == [(9, 1, 1, 1)]
    attempts.forget(100)
    assert len(attempts) == 0
    assert decode_blocks(attempts.blocks()).size == 0


def test_many_go_into_several_blocks_and_too_many_are_not_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK_ATTEMPTS", 4)
    monkeypatch.setattr(module, "MAX_WAITING", 10)
    attempts = noted([(n, n, 1, n) for n in range(10)])
    assert not attempts.add(10, 10, 1, 10)
    blocks = list(attempts.blocks())
    assert len(blocks) == 3
    assert [row[0] for row in told(decode_blocks(blocks))] == list(range(10))


@pytest.mark.parametrize(
    "block", [b"", b"\x01", encode_block(Columns.nothing())[:-1], b"\x02" + encode_block(Columns.nothing())[1:]]
)
def test_bytes_that_are_no_block_are_an_error(block: bytes) -> None:
    with pytest.raises(AttemptsError):
        decode_blocks([block])


def test_a_block_of_more_than_it_says_is_an_error() -> None:
    one = np.ones(1, np.int64)
    block = bytearray(encode_block(Columns(one, one, one, one)))
    block[1:5] = (0).to_bytes(4, "little")
    with pytest.raises(AttemptsError, match="expected 0 attempts"):
        decode_blocks([bytes(block)])
