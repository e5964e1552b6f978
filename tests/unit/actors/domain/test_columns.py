from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from actors.domain.columns import arrow_flags, arrow_numbers, arrow_texts, flags, number_array, numbers

FLAGS = [True, False, False, True, True, False, True, True, False, True]  # more than a byte of bits


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint64"])
def test_numbers_come_back(dtype: str) -> None:
    info = np.iinfo(dtype)
    values = np.array([0, 1, info.min, info.max, 7], dtype)
    column = arrow_numbers(values)
    assert column.to_pylist() == values.tolist()
    assert column.null_count == 0
    assert numbers(column).tolist() == values.tolist()
    assert numbers(column).dtype == dtype
    assert numbers(column[2:4]).tolist() == values[2:4].tolist()


def test_numbers_that_are_not_valid_are_null() -> None:
    values = np.arange(len(FLAGS), dtype=np.int64)
    column = arrow_numbers(values, np.array(FLAGS))
    assert column.to_pylist() == [n if valid else None for n, valid in enumerate(FLAGS)]
    assert arrow_numbers(values, np.ones(len(FLAGS), np.bool_)).null_count == 0


def test_another_type_of_numbers_is_an_error() -> None:
    with pytest.raises(KeyError, match="int16"):
        arrow_numbers(np.zeros(1, np.int16))


def test_an_array_of_numbers_can_grow() -> None:
    grown = number_array(arrow_numbers(np.array([5, -6], np.int64))[1:], "q")
    grown.append(7)
    assert grown.tolist() == [-6, 7]


@pytest.mark.parametrize(("start", "stop"), [(0, 10), (3, 9), (9, 10), (4, 4)])
def test_flags_come_back_wherever_they_are_cut(start: int, stop: int) -> None:
    column = arrow_flags(np.array(FLAGS))
    assert column.to_pylist() == FLAGS
    assert flags(column[start:stop]).tolist() == FLAGS[start:stop]
    assert flags(column[start:stop]).dtype == np.bool_


@pytest.mark.parametrize("texts", [["a", "", None, "\u00fc\u4e2d\U0001f3c7", None, "z"], [None], [""], ["a", "b"]])
def test_texts_are_utf_8(texts: list[str | None]) -> None:
    column = arrow_texts(texts)
    column.validate(full=True)
    assert column.to_pylist() == texts
    assert column.null_count == texts.count(None)


def through_ipc(column: Any) -> Any:
    sink = pa.BufferOutputStream()
    batch = pa.record_batch([column], ["column"])
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return pa.ipc.open_stream(sink.getvalue()).read_all()["column"].combine_chunks()


def test_empty_columns_come_back_also_from_a_file() -> None:
    for column in (arrow_numbers(np.empty(0, np.int64)), through_ipc(arrow_numbers(np.empty(0, np.int64)))):
        assert numbers(column).tolist() == []
        assert number_array(column, "q").tolist() == []
    for column in (arrow_flags(np.empty(0, np.bool_)), through_ipc(arrow_flags(np.empty(0, np.bool_)))):
        assert flags(column).tolist() == []
    assert through_ipc(arrow_texts([])).to_pylist() == []
    assert numbers(through_ipc(arrow_numbers(np.arange(9)))[2:]).tolist() == list(range(2, 9))


def test_pandas_stays_out() -> None:
    code = (
        "import sys, numpy as np\n"
        "from actors.domain.columns import *\n"
        "numbers(arrow_numbers(np.arange(3))), flags(arrow_flags(np.ones(3, bool))), arrow_texts(['a', None])\n"
        "assert 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
