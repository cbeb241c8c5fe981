"""Arrow columns ↔ numpy by their buffers: pyarrow's own ways import pandas, which takes a second."""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def to_numpy(column: pa.Array) -> NDArray[Any]:
    """The numbers of a column without nulls, as they lie in memory; read only."""
    kind = np.dtype(str(column.type))
    _, values = column.buffers()
    found: NDArray[Any] = np.frombuffer(values, kind)[column.offset : column.offset + len(column)]
    return found


def to_arrow(numbers: NDArray[Any]) -> pa.Array:
    """Numbers as a column, as they lie in memory."""
    kind = pa.type_for_alias(numbers.dtype.name)
    return pa.Array.from_buffers(kind, len(numbers), [None, pa.py_buffer(np.ascontiguousarray(numbers))])
