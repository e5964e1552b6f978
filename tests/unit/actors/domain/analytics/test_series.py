"""What analytics keep in the series, there and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain.analytics.series import (
    LATENCY_BUCKETS_MS,
    PART_SCORES,
    latency_ms,
    score_texts,
    scores_of,
    table_fields,
    table_of,
)
from actors.domain.analytics.statistics import statistics
from actors.domain.analytics.timeline import Table
from actors.domain.values import MAX_HUNDREDTHS
from storage.metrics.line_protocol import MAX_TEXT_BYTES


@given(st.lists(st.integers(-MAX_HUNDREDTHS, MAX_HUNDREDTHS), max_size=50))
def test_scores_and_tables_are_read_back(scores: list[int]) -> None:
    ordered = np.array(sorted(scores), np.int64)
    (text,) = score_texts(ordered)
    assert scores_of(text).tolist() == sorted(scores)
    table = Table(60, 7, 99, statistics(ordered))
    assert table_of(table_fields(table)) == table


def test_many_scores_go_into_parts_that_a_text_can_hold() -> None:
    scores = np.sort(np.random.default_rng(5).integers(-MAX_HUNDREDTHS, MAX_HUNDREDTHS, 2 * PART_SCORES + 1))
    texts = score_texts(scores)
    assert [len(scores_of(text)) for text in texts] == [PART_SCORES, PART_SCORES, 1]
    assert np.concatenate([scores_of(text) for text in texts]).tolist() == scores.tolist()
    assert max(map(len, texts)) < MAX_TEXT_BYTES


@pytest.mark.parametrize("text", ["?", "AAAA", ""])
def test_a_text_that_holds_no_scores_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="scores"):
        scores_of(text)


def test_a_latency_is_the_bound_of_its_bucket() -> None:
    counts = [0] * (len(LATENCY_BUCKETS_MS) + 1)
    assert latency_ms(counts, 50) is None
    counts[0], counts[3] = 50, 50
    assert (latency_ms(counts, 50), latency_ms(counts, 51), latency_ms(counts, 95)) == (1.0, 10.0, 10.0)
    counts[-1] = 1_000
    assert latency_ms(counts, 95) == 10_000.0
