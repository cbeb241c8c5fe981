"""summary.json: the means of all scores with their intervals, and what they say of over-smoothing."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from srbench.files import write_json
from srbench.metrics.bootstrap import mean_interval
from srbench.store.layout import SCHEMA, RunPaths
from srbench.store.scores import Score, Series, series_of
from srbench.store.verdicts import verdicts_of


def write_summary(
    paths: RunPaths,
    scores: Sequence[Score],
    protocols: Mapping[str, Any],
    metrics: Mapping[str, Mapping[str, str]],
    unavailable: Mapping[str, str],
    unverified: Mapping[tuple[str, str], str] = MappingProxyType({}),
    providers: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
) -> dict[str, Any]:
    """Store what the scores of a run come to; returns it.

    Args:
        paths: the run.
        scores: all scores of the run, as in scores.parquet.
        protocols: protocol hash → protocol as plain data.
        metrics: label → `{"better": "higher"|"lower", "unit": …}`, of each label in `scores`.
        unavailable: label → why the metric could not be computed here.
        unverified: test and its SHA-256 → why it is not the published set of that name.
        providers: `"metric psnr"` → who computed the newest of its scores.

    Raises:
        StoreError: the file cannot be written.
    """
    summary = {
        "schema": SCHEMA,
        "scores": list(_means(scores, metrics)),
        **verdicts_of(scores, protocols),
        "protocols": dict(protocols),
        "unavailable": dict(unavailable),
        "unverified": [
            {"test": test, "test_sha256": sha256, "reason": reason}
            for (test, sha256), reason in sorted(unverified.items())
        ],
        "providers": dict(sorted(providers.items())),
    }
    write_json(paths.summary, summary)
    return summary


def _means(scores: Sequence[Score], metrics: Mapping[str, Mapping[str, str]]) -> Iterable[dict[str, Any]]:
    groups: dict[Series, list[float]] = {}
    for score in scores:
        groups.setdefault(series_of(score), []).append(score.value)
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
