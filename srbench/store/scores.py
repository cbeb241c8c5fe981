"""scores.parquet: a row a score."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from srbench.errors import StoreError
from srbench.files import canonical_json, parse_json, write_atomic
from srbench.store.columns import to_numpy
from srbench.store.layout import RunPaths


@dataclass(frozen=True)
class Score:
    """One value of one metric for one picture and plane.

    Args:
        step: training step of the weights scored; 0 for a model that is not trained.
        test: the test set's name.
        test_sha256: SHA-256 over its sorted picture names and file hashes.
        image: the picture's name.
        plane: `r`, `g`, `b`, `y` or `rgb`.
        scale: factor of the SR picture to LR; `run_scale`: the full factor of its network.
        metric: label, with the settings that differ from their defaults (`ssim:edge=replicate`).
        value: in the metric's unit; infinite for the PSNR of equal pictures, NaN where it has no answer.
        protocol: hash of the protocol, whose full text the file's metadata holds.
    """

    step: int
    test: str
    test_sha256: str
    image: str
    plane: str
    scale: int
    run_scale: int
    metric: str
    value: float
    protocol: str


class Series(NamedTuple):
    """What the scores that one mean is over have in common; the fields are those of `Score`."""

    test: str
    test_sha256: str
    run_scale: int
    scale: int
    metric: str
    plane: str
    step: int
    protocol: str


_SCHEMA = pa.schema(
    [
        ("step", pa.int64()),
        ("test", pa.string()),
        ("test_sha256", pa.string()),
        ("image", pa.string()),
        ("plane", pa.string()),
        ("scale", pa.int32()),
        ("run_scale", pa.int32()),
        ("metric", pa.string()),
        ("value", pa.float64()),
        ("protocol", pa.string()),
    ]
)


def read_scores(paths: RunPaths) -> tuple[list[Score], dict[str, Any]]:
    """All scores of a run, and protocol hash → protocol; empty where the run has not been scored.

    Raises:
        StoreError: the file is damaged.
    """
    table = _read(paths)
    if table is None:
        return [], {}
    try:
        protocols = parse_json(table.schema.metadata[b"protocols"])
        return [Score(**row) for row in table.to_pylist()], protocols
    except (ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise _damaged(paths, error) from error


def read_series(paths: RunPaths) -> dict[Series, dict[str, float]]:
    """The scores that each mean of a run's summary is over: picture's name → value.

    Raises:
        StoreError: the file is damaged.
    """
    table = _read(paths)
    if table is None or table.num_rows == 0:
        return {}
    try:
        # Column by column: a table of many rows reads many such files, and a `Score` a row takes ten times
        # as long.
        codes, texts = zip(*(_encoded(table[name]) for name in Series._fields), strict=True)
        joined = np.zeros(table.num_rows, dtype=np.int64)
        for code, text in zip(codes, texts, strict=True):
            _, joined = np.unique(joined, return_inverse=True) if joined.max() >= 1 << 31 else (None, joined)
            joined = joined * len(text) + code
        _, first, group = np.unique(joined, return_index=True, return_inverse=True)
        images, values = table["image"].to_pylist(), table["value"].to_pylist()
        keys = [Series(*(text[code[at]] for text, code in zip(texts, codes, strict=True))) for at in first]
        found: list[dict[str, float]] = [{} for _ in keys]
        for one, image, value in zip(group.tolist(), images, values, strict=True):
            found[one][image] = value
        return dict(zip(keys, found, strict=True))
    except (ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise _damaged(paths, error) from error


def _read(paths: RunPaths) -> pa.Table | None:
    """All of the file; None where there is none."""
    try:
        # read_table would import pandas; threads take longer to start than such a file to read.
        with pq.ParquetFile(paths.scores) as file:
            return file.read(use_threads=False)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, pa.ArrowException) as error:
        raise _damaged(paths, error) from error


def _damaged(paths: RunPaths, error: Exception) -> StoreError:
    return StoreError(
        f"{paths.scores} cannot be read ({error}). Remove it and run the same command again: "
        "the scores are computed anew from the last checkpoint."
    )


def _encoded(column: pa.ChunkedArray) -> tuple[NDArray[np.int32], list[Any]]:
    """A number for each row, and what the numbers stand for."""
    encoded = column.combine_chunks().dictionary_encode()
    return to_numpy(encoded.indices), encoded.dictionary.to_pylist()


def write_scores(paths: RunPaths, scores: Sequence[Score], protocols: Mapping[str, Any]) -> None:
    """Store all scores of a run, and the text of their protocols.

    Raises:
        StoreError: the file cannot be written.
    """
    metadata = {b"protocols": canonical_json(protocols).encode()}
    table = pa.Table.from_pylist([asdict(score) for score in scores], schema=_SCHEMA.with_metadata(metadata))
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    write_atomic(paths.scores, buffer.getvalue())


def series_of(score: Score) -> Series:
    """What the mean that `score` enters is over."""
    return Series(
        score.test,
        score.test_sha256,
        score.run_scale,
        score.scale,
        score.metric,
        score.plane,
        score.step,
        score.protocol,
    )
