"""Stored scores → what the summary says of over-smoothing: a verdict a plane, and the channels that lag."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from srbench.files import canonical_json
from srbench.metrics.bootstrap import Interval
from srbench.metrics.verdict import FLAT, cautious_interval, lagging, verdict
from srbench.store.scores import Score

_OF_METRIC = ("metric", "plane", "settings", "facts")
"""Keys of a protocol that differ between the values of one measurement."""


def verdicts_of(scores: Sequence[Score], protocols: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """`verdicts`, one a test, scale, plane and protocol that has scores of `presence`; and `lags`.

    Args:
        scores: all scores of a run.
        protocols: hash → protocol as plain data, of all scores.
    """
    verdicts, lags = [], []
    for where, planes in _scenes(scores, protocols):
        complete = {plane: found for plane, found in planes.items() if {"presence", "detail"} <= found.keys()}
        verdicts += [_verdict(where, plane, found) for plane, found in complete.items()]
        lags += list(_lags(where, complete))
    return {"verdicts": verdicts, "lags": lags}


class _Measured(dict[str, dict[str, float]]):
    """Metric → picture → score, of one plane; `hashes` are those of the protocols, by metric."""

    def __init__(self) -> None:
        super().__init__()
        self.hashes: dict[str, str] = {}

    def of(self, metric: str, names: Iterable[str]) -> list[float]:
        """The scores of those pictures, NaN where there is none."""
        mine = self.get(metric, {})
        return [mine.get(name, np.nan) for name in names]


def _scenes(
    scores: Sequence[Score], protocols: Mapping[str, Any]
) -> Iterator[tuple[dict[str, Any], dict[str, _Measured]]]:
    """What the scores of one scene have in common, and what was measured on each of its planes."""
    shared = {
        key: canonical_json({name: one for name, one in protocol.items() if name not in _OF_METRIC})
        for key, protocol in protocols.items()
    }
    scenes: dict[tuple[Any, ...], dict[str, _Measured]] = {}
    for score in scores:
        conditions = shared.get(score.protocol, "")
        key = (score.test, score.test_sha256, score.run_scale, score.scale, score.step, conditions)
        found = scenes.setdefault(key, {}).setdefault(score.plane, _Measured())
        found.setdefault(score.metric, {})[score.image] = score.value
        found.hashes[score.metric] = score.protocol
    names = ("test", "test_sha256", "run_scale", "scale", "step")
    for key, planes in scenes.items():
        yield dict(zip(names, key[:-1], strict=True)), planes


def _verdict(where: Mapping[str, Any], plane: str, found: _Measured) -> dict[str, Any]:
    names = sorted(found["presence"])
    said = verdict(*(found.of(metric, names) for metric in ("presence", "detail", "slope")))
    content = np.array(found.of("content", names))
    return {
        **where,
        "plane": plane,
        "protocol": found.hashes["presence"],
        "verdict": said.word,
        "cause": said.cause,
        "n": said.presence.n,
        "left_out": said.presence.left_out,
        "flat": int((content < FLAT).sum()),
        "presence": _ends(said.presence),
        "detail": _ends(said.detail),
        "slope": _ends(said.slope),
        "invented": cautious_interval(found.of("invented", names)).mean,
        "shift": cautious_interval(found.of("shift", names)).mean,
    }


def _lags(where: Mapping[str, Any], planes: Mapping[str, _Measured]) -> Iterator[dict[str, Any]]:
    if not {"r", "g", "b"} <= planes.keys():
        return
    names = sorted(set.intersection(*(set(planes[plane]["detail"]) for plane in "rgb")))
    detail, content = (
        {plane: planes[plane].of(metric, names) for plane in "rgb"} for metric in ("detail", "content")
    )
    for lag in lagging(detail, content):
        yield {
            **where,
            "plane": lag.plane,
            "protocol": planes[lag.plane].hashes["detail"],
            "n": lag.ratio.n,
            "ratio": _ends(lag.ratio),
        }


def _ends(interval: Interval) -> list[float | None]:
    """Mean, low, high."""
    return [interval.mean, interval.low, interval.high]
