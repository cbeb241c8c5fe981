"""Which runs a figure is drawn of, the pictures it needs, and how it is written and what is said of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from srbench.datasets import TestSet
    from srbench.store.runs import StoredRun
    from srbench.views.pictures import Gallery
    from srbench.views.scenes import Scene

_PAGE_HEIGHT = 9.5
"""Inches that a page of a paper has for text and figures."""


def chosen_runs(
    names: Sequence[str] | None, results: Path | None, *, suite: Path | None = None, beside: bool = False
) -> "tuple[list[StoredRun], bool]":
    """The runs asked for in the order of tables, and whether others of the store are damaged.

    `suite`: without names, a suite file whose runs alone are wanted. `beside`: with the bicubic that named
    runs are compared with.
    """
    from srbench.cli.runs import read_store
    from srbench.store.layout import default_results
    from srbench.store.runs import find_run
    from srbench.views.names import in_order, is_baseline

    everything, damaged = read_store(results, suite)
    if not names:
        return in_order(everything), damaged
    root = results or default_results()
    found = {run.id: run for run in (find_run(root, name) for name in names)}
    if beside:
        alike = {_from(run) for run in found.values()}
        found |= {run.id: run for run in everything if is_baseline(run) and _from(run) in alike}
    return in_order(list(found.values())), False


def with_scores(runs: "Sequence[StoredRun]") -> "tuple[list[StoredRun], list[str]]":
    """Those that have scores, and a note on each other one.

    Raises:
        UsageError: none has any.
    """
    from srbench.errors import UsageError

    scored = [run for run in runs if run.summary and run.summary["scores"]]
    notes = [
        f"{run.id} is not drawn: it has no scores yet. srbench eval {run.id} makes them."
        for run in runs
        if run not in scored
    ]
    if not scored:
        raise UsageError(
            " ".join(notes) or "There are no scores to draw yet. srbench run makes runs and scores them."
        )
    return scored, notes


def side_by_side(
    runs: "Sequence[StoredRun]", test: list[str] | None, most: int
) -> "tuple[Scene, TestSet, list[str]]":
    """The runs to draw side by side, their test set, and notes on what is left out.

    Raises:
        DatasetError: its pictures are not on this machine.
        UsageError: no run was scored on what is asked for.
    """
    from srbench.errors import UsageError
    from srbench.python.typed import typed_list
    from srbench.views.scenes import asked_for, best, scenes_of, set_of

    scored, notes = with_scores(runs)
    scenes = scenes_of(scored)
    typed = typed_list("dataset", test)
    asked = asked_for(scenes, typed)
    if not asked:
        there = ", ".join(scene.title for scene in scenes) or "bicubic alone"
        raise UsageError(f"No run was scored on {', '.join(typed) or 'a test set'}. There is: {there}.")
    scene, left_out = best(asked[0], most)
    if len(asked) > 1:
        others = ", ".join(one.title for one in asked[1:])
        notes.append(f"{scene.title} is drawn; {others}: by naming runs or --test.")
    return scene, set_of(scene, typed), [*notes, *left_out]


def pictures_of(
    scene: "Scene", test: "TestSet", names: Sequence[str], device: str, *, quiet: bool
) -> "Gallery":
    """Test pictures by name, with the SR of every run of the scene; Ctrl-C stops between two passes."""
    from srbench.train.device import apply_engine, choose_engine, pick_device
    from srbench.train.stop import Stop
    from srbench.views.pictures import gallery

    where = pick_device(device)
    apply_engine(choose_engine(where, "fp32", "exact"))
    with Stop().listening() as stop:
        return gallery(scene, test, names, where, stop.check, quiet=quiet)


def write(file: Path, figure: "Figure", dpi: int, notes: Sequence[str], *, damaged: bool) -> None:
    """Write a figure, say where it is and what was left out, and end the command.

    Raises:
        StoreError: it cannot be written.
    """
    from srbench.plots.style import WIDTHS, save

    save(file, figure, dpi)
    across, height = figure.get_size_inches()
    if height > _PAGE_HEIGHT:
        way = "--width page, or less on it" if across < WIDTHS["page"] else "put less on it"
        notes = [*notes, f"It is {height:.1f} inches high, more than a page is: {way}."]
    for note in dict.fromkeys(notes):
        typer.echo(note, err=True)
    typer.echo(f"The figure is in {file}.", err=True)
    raise typer.Exit(1 if damaged else 0)


def _from(run: "StoredRun") -> tuple[int, str]:
    """What a run's SR is made from: its scale and degradation."""
    from srbench.files import canonical_json

    return run.record.spec["scale"], canonical_json(run.record.spec["degradation"])
