"""Metrics and rules as typed → how to score."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from srbench.components import Metric
from srbench.errors import MetricUnavailable
from srbench.grammar import parse_term
from srbench.inference import WHOLE, Inference
from srbench.registry import registry

Grey = Literal["rgb", "keep"]

DEFAULT_METRICS = ("psnr", "ssim", "lpips", "detail")


@dataclass(frozen=True)
class ActiveMetric:
    """A metric with its settings, ready to be called.

    Args:
        label: its name in tables: settings that differ from their default, or that the metric always shows.
        component: what the plugin registered.
        settings: all parameters.
        facts: what else its scores depend on.
    """

    label: str
    component: Metric
    settings: Mapping[str, Any]
    facts: Mapping[str, Any]

    @property
    def function(self) -> Callable[..., Any]:
        """The metric with its settings filled in."""
        return functools.partial(self.component.build, **self.settings)

    def __reduce__(self) -> tuple[Any, ...]:
        """To another process it goes by name: what a plugin registered there need not be picklable."""
        name = registry().spelling(self.component)
        return _by_name, (self.label, name, dict(self.settings), dict(self.facts))


def _by_name(label: str, name: str, settings: dict[str, Any], facts: dict[str, Any]) -> ActiveMetric:
    return ActiveMetric(label, registry().find("metric", name), settings, facts)


@dataclass(frozen=True)
class Scoring:
    """How to score: what enters the protocol beside run and metric.

    Args:
        metrics: those that can be computed here.
        unavailable: label → why, of those that cannot.
        grey: what a single-channel test file is: three equal planes, or scored as it is.
        border: pixels cropped a side; None: as many as the scale of the picture.
        inference: how pictures are put through networks.
        save_images: SR pictures to keep a test set and scale.
    """

    metrics: tuple[ActiveMetric, ...]
    unavailable: Mapping[str, str]
    grey: Grey = "rgb"
    border: int | None = None
    inference: Inference = WHOLE
    save_images: int = 0


def resolve_metrics(texts: Sequence[str]) -> tuple[tuple[ActiveMetric, ...], dict[str, str]]:
    """Metrics as typed → those that can be computed here, and label → reason for those that cannot.

    A metric that is one value of several (`detail`) brings the others: they cost nothing more.

    Raises:
        UsageError: an unknown metric or parameter.
    """
    active: dict[str, ActiveMetric] = {}
    unavailable: dict[str, str] = {}
    for text in texts:
        term = parse_term(text)
        metric: Metric = registry().find("metric", term.name)
        settings = metric.settings(term.parameters)
        for one in registry().family(metric):
            label = _label(one, settings)
            try:
                active[label] = ActiveMetric(label, one, settings, one.read_facts(settings))
            except MetricUnavailable as reason:
                unavailable[label] = str(reason)
    return tuple(active.values()), unavailable


def _label(metric: Metric, settings: Mapping[str, Any]) -> str:
    shown = {
        key: value
        for key, value in settings.items()
        if key in metric.shows or value != metric.parameters[key].default
    }
    given = ",".join(f"{key}={value}" for key, value in shown.items())
    return registry().spelling(metric) + (f":{given}" if given else "")
