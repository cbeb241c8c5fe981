"""scores.parquet, a row a score, and summary.json, its means with intervals, written together."""

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from srbench.errors import StoreError
from srbench.files import canonical_json, write_atomic, write_json
from srbench.metrics.bootstrap import mean_interval
from srbench.store.layout import SCHEMA, RunPaths


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
    try:
        with pq.ParquetFile(paths.scores) as file:  # read_table would import pandas
            table = file.read()
        protocols = json.loads(table.schema.metadata[b"protocols"])
        return [Score(**row) for row in table.to_pylist()], protocols
    except FileNotFoundError:
        return [], {}
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise StoreError(
            f"{paths.scores} cannot be read ({error}). Remove it and run the same command again: "
            "the scores are computed anew from the last checkpoint."
        ) from error


def read_series(paths: RunPaths) -> dict[Series, dict[str, float]]:
    """The scores that each mean of a run's summary is over: picture's name → value.

    Raises:
        StoreError: the file is damaged.
    """
    scores, _ = read_scores(paths)
    found: dict[Series, dict[str, float]] = {}
    for score in scores:
        found.setdefault(_series(score), {})[score.image] = score.value
    return found


def write_scores(
    paths: RunPaths,
    scores: Sequence[Score],
    protocols: Mapping[str, Any],
    metrics: Mapping[str, Mapping[str, str]],
    unavailable: Mapping[str, str],
    unverified: Mapping[tuple[str, str], str] = MappingProxyType({}),
) -> dict[str, Any]:
    """Store `scores` and their summary; returns the summary.

    Args:
        paths: the run.
        scores: all scores of the run, also those stored before.
        protocols: protocol hash → protocol as plain data.
        metrics: label → `{"better": "higher"|"lower", "unit": …}`, of each label in `scores`.
        unavailable: label → why the metric could not be computed here.
        unverified: test and its SHA-256 → why it is not the published set of that name.

    Raises:
        StoreError: the files cannot be written.
    """
    metadata = {b"protocols": canonical_json(protocols).encode()}
    table = pa.Table.from_pylist([asdict(score) for score in scores], schema=_SCHEMA.with_metadata(metadata))
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    write_atomic(paths.scores, buffer.getvalue())
    summary = {
        "schema": SCHEMA,
        "scores": list(_means(scores, metrics)),
        "protocols": dict(protocols),
        "unavailable": dict(unavailable),
        "unverified": [
            {"test": test, "test_sha256": sha256, "reason": reason}
            for (test, sha256), reason in sorted(unverified.items())
        ],
    }
    write_json(paths.summary, summary)
    return summary


def _means(scores: Sequence[Score], metrics: Mapping[str, Mapping[str, str]]) -> Iterable[dict[str, Any]]:
    groups: dict[Series, list[float]] = {}
    for score in scores:
        groups.setdefault(_series(score), []).append(score.value)
    for series, values in groups.items():
        mean, low, high, n, left_out = mean_interval(np.array(values))
        yield {
            "test": series.test,
            "test_sha256": series.test_sha256,
            "run_scale": series.run_scale,
            "scale": series.scale,
            "plane": series.plane,
            "metric": series.metric,
            **metrics[series.metric],
            "step": series.step,
            "mean": mean if n else None,
            "ci_low": low if n else None,
            "ci_high": high if n else None,
            "n": n,
            "left_out": left_out,
            "protocol": series.protocol,
        }


def _series(score: Score) -> Series:
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
