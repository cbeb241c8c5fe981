"""What is promised of metrics."""

import math

import torch
from torch import Tensor

from srbench.components import Metric
from srbench.errors import MetricUnavailable, SrbenchError
from srbench.parameters import called_with
from srbench.testing.asked import check_plain, said
from srbench.testing.conformance import Fault, NotDemanded, Subject, promise
from srbench.testing.metric_trials import SCALE, WAYS, pictures_for, trial_of, worse
from srbench.testing.photographs import photographs

_BEST = 0.05
"""Of the spread: by so much another picture may score better than HR itself."""
_EQUAL = 1e-6
_ALIKE = 1e-5
"""Relative: kernels sum in another order with the size of a batch."""
_SMALL = (1, 3, 8, 16)
"""Sides of pictures."""


@promise("metric", "arguments")
def arguments(subject: Subject) -> None:
    """It looks at SR, or at SR degraded."""
    if not subject.component.asks("sr", "degraded"):
        raise Fault(
            "It asks for neither sr nor degraded, so that it says nothing of SR. What a metric is given goes "
            "by the names of its arguments: sr, hr, lr, degraded and scale."
        )


@promise("metric", "shape")
def shape(subject: Subject) -> None:
    """It gives a score for each picture and plane, floating point, where its pictures are."""
    trial = trial_of(subject)
    hr = pictures_for(trial)
    for number in (1, 2):
        trial.values(worse("noise", hr[:number])[0], hr[:number])


@promise("metric", "direction")
def direction(subject: Subject) -> None:
    """The better picture scores better: less noise, blur, misplaced texture and JPEG, all in all."""
    trial = trial_of(subject)
    better = _direction(subject)
    hr = pictures_for(trial)
    total, wrong = 0.0, []
    for way in WAYS:
        little, much = (float(trial.values(sr, hr).mean()) for sr in worse(way, hr))
        loss = little - much if better == "higher" else much - little
        total += loss
        if not loss > 0:
            wrong.append(f"{way}: {little:.4g} for a little of it, {much:.4g} for much")
    if not total > 0:
        raise Fault(
            f"It declares better={better!r}, and worse pictures do not score worse ({'; '.join(wrong)}). "
            "Declare the other direction, or better='neither' for a value that ranks nothing."
        )


@promise("metric", "perfect")
def perfect(subject: Subject) -> None:
    """SR equal to HR gets the best score there is, where it is compared with anything."""
    trial = trial_of(subject)
    better = _direction(subject)
    if not subject.component.asks("hr", "lr"):
        raise NotDemanded("It needs no reference, so that no picture is known to be perfect.")
    hr = pictures_for(trial)[:1]
    best = trial.values(hr.clone(), hr)
    others = {way: trial.values(worse(way, hr)[1], hr) for way in WAYS}
    sign = 1 if better == "higher" else -1
    low, high = subject.component.bounds
    end = high if better == "higher" else low
    if best.isnan().any():
        raise Fault("It gives NaN where SR equals HR. The best picture there is has the best score there is.")
    if math.isfinite(end) and float((best - end).abs().max()) > _EQUAL:
        raise Fault(
            f"Where SR equals HR it gives {_shown(best)}, and its best value is {end:g} by its bounds. "
            "Correct the bounds, or the metric."
        )
    values = torch.cat([best, *others.values()])
    finite = values[values.isfinite()]
    spread = float(finite.max() - finite.min()) if len(finite) else 0.0
    for way, other in others.items():
        if float(sign * (other.mean() - best.mean())) > _BEST * spread:
            raise Fault(
                f"Where SR equals HR it gives {_shown(best)}, and {_shown(other)} with much {way}, which "
                f"better={better!r} calls better. Compare SR with HR so that equal ones are best."
            )


@promise("metric", "bounds")
def bounds(subject: Subject) -> None:
    """Every score lies within the bounds it declares."""
    trial = trial_of(subject)
    low, high = subject.component.bounds
    if (low, high) == (-math.inf, math.inf):
        raise NotDemanded("It declares no bounds.")
    hr = pictures_for(trial)[:1]
    black, white = torch.zeros_like(hr), torch.ones_like(hr)
    noise = torch.rand(hr.shape, generator=torch.Generator().manual_seed(1))
    for what, sr, reference in (
        ("SR equal to HR", hr.clone(), hr),
        ("the negative of HR", 1 - hr, hr),
        ("noise for a photograph", noise, hr),
        ("a photograph for noise", hr, noise),
        ("black for white", black, white),
        ("white for black", white, black),
        ("black for black", black, black.clone()),
        *((f"much {way}", worse(way, hr)[1], hr) for way in WAYS),
    ):
        values = trial.values(sr, reference)
        out = values[(values < low - _EQUAL) | (values > high + _EQUAL)]
        if len(out):
            raise Fault(
                f"It declares bounds=({low:g}, {high:g}), and gives {_shown(out)} for {what}. Declare the "
                "least and the greatest value that there can be, with math.inf where there is none."
            )


@promise("metric", "batch")
def batch(subject: Subject) -> None:
    """Pictures score as they do one by one, in any order."""
    trial = trial_of(subject)
    hr = pictures_for(trial)
    sr = torch.cat([worse("noise", hr[:1])[0], worse("blur", hr[1:])[0]])
    together, turned = trial.values(sr, hr), trial.values(sr.flip(0), hr.flip(0)).flip(0)
    alone = torch.cat([trial.values(sr[n : n + 1], hr[n : n + 1]) for n in range(len(sr))])
    for other, how in ((together, "beside another"), (turned, "in another order")):
        if not torch.allclose(other, alone, rtol=_ALIKE, atol=_ALIKE, equal_nan=True):
            raise Fault(
                f"Two pictures score {_shown(alone)} alone, and {_shown(other)} {how}. Take no mean and no "
                "normalisation over the first dimension."
            )


@promise("metric", "not finite")
def not_finite(subject: Subject) -> None:
    """SR that is not finite has no score, and spoils no other picture's."""
    trial = trial_of(subject)
    hr = pictures_for(trial)
    sr = worse("noise", hr)[0]
    expected = trial.values(sr, hr)[1]
    sr[0, :, sr.shape[2] // 2, sr.shape[3] // 2] = math.nan
    given = trial.given(sr, hr)
    try:
        with torch.no_grad():
            outcome = trial.function(**called_with(trial.function, given))
    except SrbenchError:
        return
    except Exception as error:
        raise Fault(
            f"With a pixel of SR that is NaN it raised {said(error)}, which ends the scoring of a run. Give "
            "NaN for that picture."
        ) from error
    values = trial.picked(outcome, sr)
    if not values[0].isnan().all():
        raise Fault(
            f"With a pixel of SR that is NaN it gives {_shown(values[0])}, which would enter means. Give "
            "NaN: torch.where(sr.isfinite().all(dim=(2, 3)), scores, torch.nan)."
        )
    if not torch.allclose(values[1], expected, rtol=_ALIKE, atol=_ALIKE):
        raise Fault(
            f"A picture scores {_shown(expected)}, and {_shown(values[1])} beside one that has a NaN. "
            "Compute each picture from its own pixels alone."
        )


@promise("metric", "inputs")
def inputs(subject: Subject) -> None:
    """It leaves what it is given as it was."""
    trial = trial_of(subject)
    hr = pictures_for(trial)[:1]
    given = trial.given(worse("noise", hr)[0], hr)
    before = {name: one.clone() for name, one in given.items() if isinstance(one, Tensor)}
    trial.outcome(given)
    for name, one in before.items():
        if not torch.equal(given[name], one):
            raise Fault(
                f"It changes {name} in place, which other metrics are given too. Use operations without a "
                f"trailing underscore, or {name}.clone() first."
            )


@promise("metric", "repeatable")
def repeatable(subject: Subject) -> None:
    """The same pictures have the same score, whatever the random generator, which it leaves alone."""
    trial = trial_of(subject)
    hr = pictures_for(trial)[:1]
    sr = worse("noise", hr)[0]
    with torch.random.fork_rng(devices=[]):
        scores = []
        for seed in (1, 2):
            torch.manual_seed(seed)
            before = torch.get_rng_state()
            scores.append(trial.values(sr, hr))
            if not torch.equal(torch.get_rng_state(), before):
                raise Fault(
                    "It moves torch's generator, which training in the same process depends on. Use a "
                    "torch.Generator of its own, with a fixed seed."
                )
    if not torch.equal(*scores):
        raise Fault(
            f"The same picture scores {_shown(scores[0])}, and then {_shown(scores[1])}. Whatever it draws, "
            "it draws from a generator of its own with a fixed seed."
        )


@promise("metric", "small pictures")
def small_pictures(subject: Subject) -> None:
    """A picture that is too small for it has no score, and no exception."""
    trial = trial_of(subject)
    for side in _SMALL:
        hr = photographs(side, side)[:1]
        planes = 3 if trial.is_joint else len(subject.component.planes)
        hr = hr.repeat(1, 2, 1, 1)[:, :planes]
        lr = photographs(-(-side // SCALE), -(-side // SCALE))[:1].repeat(1, 2, 1, 1)[:, :planes]
        given = {"sr": hr * 0.9, "hr": hr, "lr": lr, "degraded": lr * 0.9, "scale": SCALE}
        trial.picked(trial.outcome(given), hr)


@promise("metric", "field")
def field(subject: Subject) -> None:
    """Its function, which measures several things at once, returns a NamedTuple that has its field."""
    component: Metric = subject.component
    if not component.field:
        raise NotDemanded("Its function gives one score.")
    trial = trial_of(subject)
    hr = pictures_for(trial)[:1]
    outcome = trial.outcome(trial.given(worse("noise", hr)[0], hr))
    trial.picked(outcome, hr)
    fields = getattr(outcome, "_fields", None)
    if fields is None:
        raise Fault(
            f"It is registered with field={component.field!r}, and its function returned "
            f"{type(outcome).__name__}. Return a typing.NamedTuple."
        )


@promise("metric", "facts")
def facts(subject: Subject) -> None:
    """What a score depends on beside the settings is plain data, the same each time."""
    component: Metric = subject.component
    check_plain(component.facts, lambda: component.read_facts(subject.settings))


def _direction(subject: Subject) -> str:
    try:
        better: str = subject.component.direction(subject.settings)
    except MetricUnavailable as reason:
        raise NotDemanded(str(reason)) from reason
    if better == "neither":
        raise NotDemanded("It declares better='neither': it describes pictures and ranks nothing.")
    return better


def _shown(values: Tensor) -> str:
    return ", ".join(f"{float(one):.6g}" for one in values.flatten())
