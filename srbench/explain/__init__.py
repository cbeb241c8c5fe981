"""A number from elsewhere → the protocols under which the same pictures give it.

axes.py      what people do differently: named choices, axis by axis
sources.py   the SR pictures: a run's, or a folder's
__init__.py  the product of the choices, scored and compared with what was asked
show.py      what it looks like
"""

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Literal, TypeAlias, get_args

from torch import Tensor

from srbench.errors import MetricUnavailable, UsageError
from srbench.explain.axes import (
    BORDERS,
    MEAN_OF_PLANES,
    RANGES,
    SR_AXES,
    WINDOWS,
    Axes,
    Choice,
    Task,
    nets,
    planes,
    psnr_of,
)
from srbench.explain.sources import Source
from srbench.images.png import quantise, read_picture
from srbench.metrics.backbones import Net
from srbench.metrics.lpips import facts
from srbench.progress import steps
from srbench.types import Picture

Name: TypeAlias = Literal["psnr", "ssim", "lpips"]

_AXES_OF: Mapping[Name, tuple[str, ...]] = {
    "psnr": (*SR_AXES, "plane", "border"),
    "ssim": (*SR_AXES, "plane", "border", "window"),
    "lpips": (*SR_AXES, "LPIPS border", "net", "range"),
}
"""What a metric depends on. Numbers asked for together must share their choices on the axes they share."""

_RANGE: Mapping[Name, tuple[int, int]] = {"psnr": (0, 200), "ssim": (-1, 1), "lpips": (0, 10)}
"""What a finite mean over 8-bit pictures can be, generously."""

_KEPT = 24
"""Where nothing comes within rounding of one number, how many of the nearest are tried for the next."""

_DIGITS = 9
"""Places after the point that a number may have; past these the arithmetic decides."""

_Labels: TypeAlias = tuple[str, ...]


@dataclass(frozen=True)
class Number:
    """A number as published.

    Args:
        metric: what it is a number of.
        text: as typed: its digits say how exact it is.
        value: the number.
        half_unit: half a unit of its last digit.
    """

    metric: Name
    text: str
    value: float
    half_unit: float

    @classmethod
    def parse(cls, metric: Name, text: str) -> "Number":
        """`28.17` → within 0.005 of 28.17.

        Raises:
            UsageError: it is no plain number, or none that the metric can have.
        """
        example = "28.17" if metric == "psnr" else "0.8104"
        try:
            value = Decimal(text.strip())
            exponent = value.as_tuple().exponent
        except InvalidOperation as error:
            raise UsageError(f"--{metric} {text!r} is no number. Write it like {example}.") from error
        if not isinstance(exponent, int):
            raise UsageError(f"--{metric} {text!r} is not finite. Write it like {example}.")
        if not -_DIGITS <= exponent <= 2:
            raise UsageError(
                f"--{metric} {text!r} has digits that no number here has. Write it like {example}, with at "
                f"most {_DIGITS} after the point."
            )
        low, high = _RANGE[metric]
        if not low <= value <= high:
            raise UsageError(
                f"--{metric} {text!r} lies outside of what it can be, {low} to {high}. Write it like "
                f"{example}."
            )
        return cls(metric, text.strip(), float(value), 0.5 * 10.0**exponent)

    def distance(self, value: float) -> float:
        """How far `value` lies from it, in units of what rounding explains: up to 1 it is the same number."""
        # The slack is float64's: a value exactly half-way is rounded either way.
        return abs(value - self.value) / (self.half_unit * (1 + 1e-9) + 1e-12)


@dataclass(frozen=True)
class Candidate:
    """One protocol and what it gives.

    Args:
        labels: axis → the choice's label.
        values: metric → mean over the pictures.
        distance: to the number that it explains worst, in units of what rounding explains.
        departures: axes on which it is not srbench's own choice.
    """

    labels: Mapping[str, str]
    values: Mapping[Name, float]
    distance: float
    departures: int

    @property
    def explains(self) -> bool:
        """Whether every number comes within rounding."""
        return self.distance <= 1


@dataclass(frozen=True)
class Explanation:
    """What was found.

    Args:
        numbers: as asked.
        candidates: best first: those that explain the numbers, the most usual of them in front; then the
            nearest.
        protocols: how many there are, all choices combined.
        tried: metric → protocols scored; fewer where a metric before it ruled some out.
        within: metric → protocols that come within rounding of its number, given the metrics before it.
        usual: axis → label of srbench's own choice.
        notes: what could not be tried, and why.
    """

    numbers: Sequence[Number]
    candidates: Sequence[Candidate]
    protocols: int
    tried: Mapping[Name, int]
    within: Mapping[Name, int]
    usual: Mapping[str, str]
    notes: Sequence[str] = ()

    @property
    def explaining(self) -> list[Candidate]:
        """The candidates that explain all numbers."""
        return [one for one in self.candidates if one.explains]


def explain(
    source: Source, numbers: Sequence[Number], check: Callable[[], None], *, quiet: bool = False
) -> Explanation:
    """Score the pictures under every protocol in use and sort the protocols by how well they explain.

    Numbers are looked at in turn, PSNR first since it costs least: SSIM is scored under those choices alone
    that come within rounding of the PSNR (or the nearest, where none does), and so on.

    Args:
        source: the SR pictures.
        numbers: at most one a metric.
        check: called between pictures; raises to stop.
        quiet: no progress bar.

    Raises:
        UsageError: no number, or LPIPS asked for pictures without RGB or without any weights.
        PictureError: a picture cannot be read.
        StoppedError: by `check`.
    """
    if not numbers:
        raise UsageError("There is no number to explain. Give one or more of --psnr, --ssim and --lpips.")
    order = sorted(numbers, key=lambda one: get_args(Name).index(one.metric))
    axes, notes = _axes_for(source, [number.metric for number in order])
    scorer = _Scorer(source, axes, check, quiet)
    rows = [_Row({}, {}, 0.0)]
    tried: dict[Name, int] = {}
    within: dict[Name, int] = {}
    for number in order:
        mine = _AXES_OF[number.metric]
        rows = [row.with_labels(more) for row in rows for more in _product(axes, mine, row.labels)]
        keys = {tuple(row.labels[axis] for axis in mine if axis in axes) for row in rows}
        values = scorer.means(number.metric, keys)
        tried[number.metric] = len(keys)
        scored = [
            row.with_value(number, values[tuple(row.labels[axis] for axis in mine if axis in axes)])
            for row in rows
        ]
        rows = sorted((row for row in scored if math.isfinite(row.distance)), key=lambda row: row.distance)
        near = [row for row in rows if row.distance <= 1]
        within[number.metric] = len(near)
        if number is not order[-1]:
            rows = near or rows[:_KEPT]
    usual = {axis: choices[0].label for axis, choices in axes.items()}
    if "net" in usual:  # the default, whether or not it is to be had
        usual["net"] = nets(get_args(Net)[:1])[0].label
    if scorer.left_out:
        notes.append(
            f"Under some protocols up to {scorer.left_out} of {len(source.test.pictures)} pictures are left "
            "out of the mean: infinite, or too small."
        )
    candidates = [
        Candidate(
            row.labels,
            row.values,
            row.distance,
            sum(usual[axis] != label for axis, label in row.labels.items()),
        )
        for row in rows
    ]
    # All within rounding explain the number equally well: of them the most usual protocol is the likeliest.
    candidates.sort(key=lambda one: (not one.explains, one.departures if one.explains else 0, one.distance))
    if not candidates:
        raise UsageError(
            f"No protocol gives a number for {source.test.name}: its pictures equal HR, or are too small."
        )
    protocols = math.prod(len(choices) for choices in axes.values())
    return Explanation(order, candidates, protocols, tried, within, usual, notes)


@dataclass(frozen=True)
class _Row:
    labels: Mapping[str, str]
    values: Mapping[Name, float] = field(default_factory=dict)
    distance: float = 0.0

    def with_labels(self, more: Mapping[str, str]) -> "_Row":
        return _Row({**self.labels, **more}, self.values, self.distance)

    def with_value(self, number: Number, value: float) -> "_Row":
        distance = max(self.distance, number.distance(value)) if math.isfinite(value) else math.nan
        return _Row(self.labels, {**self.values, number.metric: value}, distance)


def _axes_for(source: Source, metrics: Sequence[Name]) -> tuple[Axes, list[str]]:
    """Every axis that one of the metrics depends on, and a sentence for each choice that cannot be tried."""
    notes: list[str] = []
    of_planes = planes(source.channels, grey=any(_is_grey(one) for one in source.test.pictures))
    if "psnr" not in metrics:
        of_planes = [one for one in of_planes if one.label != MEAN_OF_PLANES]
    axes: Axes = {**source.axes, "plane": of_planes, "border": BORDERS, "window": WINDOWS}
    if "lpips" in metrics:
        if source.channels in ("r", "g", "b"):
            raise UsageError(f"LPIPS looks at RGB pictures, and this run has {source.channels} alone.")
        available: list[Net] = []
        for net in get_args(Net):
            try:
                facts(net)
                available.append(net)
            except MetricUnavailable as reason:
                notes.append(str(reason))
        if not available:
            raise UsageError(" ".join(["No LPIPS can be computed here.", *notes]))
        own = [Choice(f"LPIPS {one.label}", one.apply) for one in BORDERS] if len(metrics) > 1 else BORDERS
        axes |= {"LPIPS border": own, "net": nets(available), "range": RANGES}
    needed = {axis for metric in metrics for axis in _AXES_OF[metric]}
    return {axis: choices for axis, choices in axes.items() if axis in needed}, notes


def _product(axes: Axes, wanted: Sequence[str], known: Mapping[str, str]) -> Iterable[dict[str, str]]:
    """Labels for the axes of `wanted` that `known` does not say already, in all combinations."""
    open_axes = [axis for axis in wanted if axis in axes and axis not in known]
    for labels in itertools.product(*([one.label for one in axes[axis]] for axis in open_axes)):
        yield dict(zip(open_axes, labels, strict=True))


class _Scorer:
    """Scores pictures under choices; what several choices share is made once.

    `left_out` is how many pictures at most had no finite value under one of them.
    """

    def __init__(self, source: Source, axes: Axes, check: Callable[[], None], quiet: bool) -> None:
        self._source, self._check, self._quiet = source, check, quiet
        self.left_out = 0
        self._axes = {axis: {one.label: one for one in choices} for axis, choices in axes.items()}

    def means(self, metric: Name, keys: Iterable[_Labels]) -> dict[_Labels, float]:
        """The mean over the pictures under each key, the labels of the metric's axes in their order.

        NaN where no picture has a finite value, as in every mean of srbench.
        """
        names = [axis for axis in _AXES_OF[metric] if axis in self._axes]
        made_by = [axis for axis in names if axis in SR_AXES]
        groups: dict[_Labels, list[_Labels]] = {}
        for key in sorted(keys):
            groups.setdefault(key[: len(made_by)], []).append(key)
        values: dict[_Labels, list[float]] = {}
        pictures = self._source.test.pictures
        label = f"explaining by {metric}"
        with steps(label, len(pictures) * len(groups), self._check, quiet=self._quiet) as tick:
            for picture in pictures:
                references: dict[_Labels, dict[str, Tensor]] = {}
                for made, mine in groups.items():
                    chosen = {axis: self._axes[axis][one] for axis, one in zip(made_by, made, strict=True)}
                    pair = self._pair(picture, chosen, references)
                    for key in mine:
                        rest = {axis: self._axes[axis][one] for axis, one in zip(names, key, strict=True)}
                        values.setdefault(key, []).append(_score(metric, pair, rest))
                    tick()
        finite = {key: [one for one in found if math.isfinite(one)] for key, found in values.items()}
        self.left_out = max([self.left_out, *(len(pictures) - len(found) for found in finite.values())])
        return {key: sum(found) / len(found) if found else math.nan for key, found in finite.items()}

    def _pair(
        self,
        picture: Picture,
        chosen: Mapping[str, Choice],
        references: dict[_Labels, dict[str, Tensor]],
    ) -> "_Pair":
        sr, hr = self._source.pair(picture, chosen)
        # Exact levels, which float32 has not: luma lies half-way between two on 1 pixel in 1,000.
        rounded = chosen["rounding"].apply(sr), quantise(hr.double())
        # The same HR, or HR made smaller in the same way, is taken apart only once.
        task: Task = chosen["scale"].apply
        made_by = ("scale",) if task.scale == task.lr_scale else ("scale", "LR")
        planes_of_hr = references.setdefault(tuple(chosen[axis].label for axis in made_by), {})
        return _Pair(*rounded, task.scale, _is_grey(picture), {}, planes_of_hr)


@dataclass(frozen=True)
class _Pair:
    """SR and HR of one picture, (1, C, H, W) in float64; `of_sr` and `of_hr` keep what was taken of them."""

    sr: Tensor
    hr: Tensor
    scale: int
    is_grey: bool
    of_sr: dict[str, Tensor]
    of_hr: dict[str, Tensor]

    def planes(self, choice: Choice) -> tuple[Tensor, Tensor]:
        """What a choice of planes takes of both."""
        for kept, whole in ((self.of_sr, self.sr), (self.of_hr, self.hr)):
            if choice.label not in kept:
                kept[choice.label] = choice.apply.take(whole, self.is_grey)
        return self.of_sr[choice.label], self.of_hr[choice.label]


def _score(metric: Name, pair: _Pair, chosen: Mapping[str, Choice]) -> float:
    """One metric of one picture; NaN where nothing is left inside the border."""
    border = chosen["LPIPS border" if metric == "lpips" else "border"].apply(pair.scale)
    height, width = pair.sr.shape[-2:]
    if min(height, width) <= 2 * border:
        return math.nan
    inside = (..., slice(border, height - border), slice(border, width - border))
    sr, hr = (pair.sr, pair.hr) if metric == "lpips" else pair.planes(chosen["plane"])
    sr, hr = sr[inside], hr[inside]
    if metric == "psnr":
        return psnr_of(sr, hr, chosen["plane"].apply)
    if metric == "ssim":
        return float(chosen["window"].apply(sr, hr).mean())
    feed = chosen["range"].apply
    return float(chosen["net"].apply(feed(sr), feed(hr)))


def _is_grey(picture: Picture) -> bool:
    return read_picture(picture).ndim == 2
