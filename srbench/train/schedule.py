"""Step → learning rate, as a factor on the run's rate: pure functions, so a resumed run needs no state."""

import math
from collections.abc import Callable
from typing import Literal

Schedule = Callable[[int, float], float]
"""(step, steps per epoch) → factor on the learning rate; steps count from 0."""


def constant(warmup: int = 0) -> Schedule:
    """The full rate, after a linear rise over the first `warmup` steps."""
    return lambda step, steps_per_epoch: _warm(step, warmup)


def step(every: float = 50, factor: float = 0.5, unit: Literal["epochs", "steps"] = "epochs") -> Schedule:
    """The rate times `factor` after each `every` epochs or steps.

    Raises:
        ValueError: `every` is not above 0.
    """
    if every <= 0:
        raise ValueError(f"every={every:g} must be above 0")
    return lambda step, steps_per_epoch: (
        factor ** math.floor(step / (every * steps_per_epoch if unit == "epochs" else every))
    )


def cosine(
    steps: int | None = None, epochs: float | None = None, warmup: int = 0, floor: float = 0.0
) -> Schedule:
    """Half a cosine from the full rate to `floor` of it over a horizon of `steps` or `epochs`.

    The horizon is part of the run: a longer one is another run. Without one, the budget is the horizon.

    Raises:
        ValueError: the horizon is not above 0.

    Source: Loshchilov and Hutter 2017, arXiv:1608.03983, without restarts.
    """

    if (steps is not None and steps <= 0) or (epochs is not None and epochs <= 0):
        raise ValueError("its horizon must be above 0")

    def factor(step: int, steps_per_epoch: float) -> float:
        horizon = steps if steps is not None else (epochs or 1) * steps_per_epoch
        share = min(step / horizon, 1.0)
        return _warm(step, warmup) * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * share)))

    return factor


SCHEDULES: dict[str, Callable[..., Schedule]] = {"constant": constant, "step": step, "cosine": cosine}


def _warm(step: int, warmup: int) -> float:
    return min(1.0, (step + 1) / warmup) if warmup else 1.0
