"""Arrow columns from and to NumPy, through their buffers: pyarrow's own conversions import pandas (2 s and 40 MB a process)."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

# by the dtype itself: its name is made anew at each call
_ARROW_TYPES = {np.dtype("i4"): pa.int32(), np.dtype("i8"): pa.int64(), np.dtype("u8"): pa.uint64()}
SCORE = pa.decimal128(10, 2)
TIME = pa.timestamp("ms", tz="UTC")


def arrow_numbers(values: NDArray[np.generic], valid: NDArray[np.bool_] | None = None) -> pa.Array:
    """A column of int32, int64 or uint64; what is not `valid` is null."""
    validity = None if valid is None or valid.all() else _bits(valid)
    return pa.Array.from_buffers(_ARROW_TYPES[values.dtype], len(values), [validity, pa.py_buffer(values)])


def arrow_decimals(hundredths: NDArray[Any], valid: NDArray[np.bool_] | None = None) -> pa.Array:
    """A column of DECIMAL(10,2) from int64 hundredths; what is not `valid` is null."""
    wide = np.empty((len(hundredths), 2), np.int64)  # little-endian 128 bits: the number, and its sign
    wide[:, 0], wide[:, 1] = hundredths, np.where(hundredths < 0, -1, 0)
    validity = None if valid is None or valid.all() else _bits(valid)
    return pa.Array.from_buffers(SCORE, len(wide), [validity, pa.py_buffer(wide)])


def arrow_times(times_ms: NDArray[np.generic], valid: NDArray[np.bool_] | None = None) -> pa.Array:
    """A column of times, UTC, from int64 milliseconds since 1970; what is not `valid` is null."""
    validity = None if valid is None or valid.all() else _bits(valid)
    return pa.Array.from_buffers(TIME, len(times_ms), [validity, pa.py_buffer(times_ms)])


def arrow_flags(values: NDArray[np.bool_]) -> pa.Array:
    """A column of bools."""
    return pa.Array.from_buffers(pa.bool_(), len(values), [None, _bits(values)])


def arrow_texts(values: list[str | None]) -> pa.Array:
    """A column of texts (UTF-8, 2 GiB in all); None is null."""
    encoded = [b"" if text is None else text.encode() for text in values]
    ends = np.zeros(len(values) + 1, np.int32)
    np.cumsum(np.fromiter(map(len, encoded), np.int32, len(encoded)), out=ends[1:])
    valid = np.fromiter((text is not None for text in values), np.bool_, len(values))
    validity = None if valid.all() else _bits(valid)
    return pa.Array.from_buffers(
        pa.utf8(), len(values), [validity, pa.py_buffer(ends), pa.py_buffer(b"".join(encoded))]
    )


def numbers(column: pa.Array) -> NDArray[np.generic]:
    """A column of numbers as NumPy (a view of its buffer, read only); nulls read as what was stored there."""
    dtype = column.type.to_pandas_dtype()
    return np.frombuffer(column.buffers()[1], dtype, len(column), column.offset * np.dtype(dtype).itemsize)


def hundredths_of(column: pa.Array) -> list[int]:
    """A column of DECIMAL(10,2) as hundredths; nulls read as what was stored there."""
    wide = np.frombuffer(column.buffers()[1], np.int64).reshape(-1, 2)
    found: list[int] = wide[column.offset : column.offset + len(column), 0].tolist()
    return found


def number_array(column: pa.Array, typecode: str) -> array[int]:
    """A column of numbers as an `array`, which can grow."""
    grown = array(typecode)
    grown.frombytes(numbers(column).tobytes())
    return grown


def flags(column: pa.Array) -> NDArray[np.bool_]:
    """A column of bools as NumPy."""
    bits = np.frombuffer(column.buffers()[1], np.uint8)
    return np.unpackbits(bits, bitorder="little")[column.offset : column.offset + len(column)].view(np.bool_)


def _bits(values: NDArray[np.bool_]) -> pa.Buffer:
    return pa.py_buffer(np.packbits(values, bitorder="little"))
