"""Where kills are to fall: every phase, spread over the whole run."""

import random
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from srbench.errors import UsageError
from srbench.phases import Sign

Moment = tuple[float, Sign]
"""Seconds since a process began, and what it said then."""

_KINDS = (
    "saving", "validation", "training", "scoring", "saving", "training", "start-up", "validation",
)  # fmt: skip
"""Of eight kills. Start-up has least to lose: nothing is written but the lock."""


@dataclass(frozen=True)
class Pace:
    """How long things take, as the run without kills showed it.

    Args:
        seconds: phase → how long it lasts; of training, one step.
        validations: the steps that are validated.
        steps: the run's last step.
    """

    seconds: Mapping[str, float]
    validations: Sequence[int]
    steps: int


@dataclass(frozen=True)
class Aim:
    """One kill.

    Args:
        phase: where it is to fall.
        step: not before the run has come this far.
        fraction: how much of the phase has passed by then, from 0 to 1.
    """

    phase: str
    step: int
    fraction: float

    def is_met(self, sign: Sign, steps: int) -> bool:
        """Whether the phase begins here. One that was missed is met where every sitting ends, in scoring."""
        is_there = sign.phase == self.phase and sign.step >= self.step
        return is_there or (sign.phase == "scoring" and sign.step >= steps)


def pace_of(moments: Sequence[Moment], steps: int) -> Pace:
    """How long things took in a run of so many steps that was left alone.

    Raises:
        UsageError: it trained nothing.
    """
    if not any(sign.phase == "training" for _, sign in moments):
        raise UsageError("There is nothing to resume: this model is not trained. Give another --model.")
    started = next(at for at, sign in moments if sign.phase == "training")
    trained = next(at for at, sign in moments if sign.phase == "scoring" and sign.step >= steps)
    seconds = {
        "start-up": started,
        "training": (trained - started) / steps,
        "saving": _between(moments, "saving", "saved"),
        "validation": _between(moments, "validation", "training"),
        "scoring": _between([one for one in moments if one[0] >= trained], "scoring", "scored"),
    }
    return Pace(seconds, [sign.step for _, sign in moments if sign.phase == "validation"], steps)


def _between(moments: Sequence[Moment], first: str, last: str) -> float:
    """Median time from one sign to the next `last`, of the same step; 0 where it never came."""
    ends = {sign.step: at for at, sign in moments if sign.phase == last}
    spans = [
        ends[sign.step] - at for at, sign in moments if sign.phase == first and sign.step in ends
    ]  # fmt: skip
    return statistics.median(spans) if spans else 0.0


def aims_of(kills: int, pace: Pace, draw: random.Random) -> list[Aim]:
    """So many kills, in the order in which the run comes to them."""
    aims = []
    for number in range(kills):
        phase = _KINDS[number % len(_KINDS)]
        step = draw.randint(1, max(pace.steps - 1, 1))
        if phase == "validation":
            step = draw.choice(pace.validations)
        elif phase == "scoring":
            step = pace.steps
        aims.append(Aim(phase, step, draw.random()))
    return sorted(aims, key=lambda aim: (aim.step, aim.phase == "scoring"))
