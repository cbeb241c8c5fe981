"""`srbench run --dry-run`: what would run, what of it is done, and how long the rest may take."""

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from srbench.forecast import Forecast
    from srbench.python.run import Prepared


def show_plan(asked: "Prepared") -> None:
    """A line a run, and one for all of them; the speed of models that the store does not know is measured."""
    from srbench.forecast import forecast
    from srbench.train.device import pick_device

    settings = asked.settings
    device = pick_device(str(settings.device))
    found = forecast(
        asked.jobs, asked.results, device, settings.determinism, settings.processes,
        asked.stop.check, quiet=settings.quiet,
    )  # fmt: skip
    for one in found:
        typer.echo(_line(one))
    typer.echo(_sum(found))


def _line(one: "Forecast") -> str:
    job = one.job
    state = "not begun" if one.record is None else f"{one.record.status}, at step {one.record.step:,}"
    parts = [state]
    if job.spec.trained:
        epochs = job.budget.epochs
        parts.append(f"budget {epochs:g} epochs" if epochs is not None else f"budget {one.target:,} steps")
    parts.append("scored on " + ", ".join(test.name for test in job.tests))
    if one.left_s:
        parts.append(f"about {_duration(one.left_s)} of training, by {one.basis}")
    elif one.left_s is None:
        parts.append(f"time unknown: {one.basis}")
    return f"{job.spec.id}: {'; '.join(parts)}"


def _sum(found: "list[Forecast]") -> str:
    trained = [one for one in found if one.job.spec.trained]
    waiting = [one for one in trained if one.left_s != 0]
    unknown = sum(one.left_s is None for one in waiting)
    if not waiting:
        return f"{len(found)} runs, nothing to train."
    total = _duration(sum(one.left_s or 0 for one in waiting))
    more = f" and {unknown} of unknown time" if unknown else ""
    return (
        f"{len(found)} runs, {len(waiting)} to train: about {total}{more}, one after another; scoring comes "
        "on top."
    )


def _duration(seconds: float) -> str:
    from srbench.train.stop import format_duration

    return format_duration(max(seconds, 1))
