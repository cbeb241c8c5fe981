"""Runs as typed → the runs that a figure or a page is of."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from srbench.store.runs import StoredRun


def chosen_runs(
    names: Sequence[str] | None, results: Path | None, *, suite: Path | None = None, beside: bool = False
) -> "tuple[list[StoredRun], bool]":
    """The runs asked for in the order of tables, and whether others of the store are damaged.

    Args:
        names: ids, beginnings of them, or names; none: all runs.
        results: the store, as typed.
        suite: without names, a suite file whose runs alone are wanted.
        beside: with the bicubic that named runs are compared with.

    Raises:
        UsageError: there is no such store or run, or the suite is not sound.
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


def _from(run: "StoredRun") -> tuple[int, str]:
    """What a run's SR is made from: its scale and degradation."""
    from srbench.files import canonical_json

    return run.record.spec["scale"], canonical_json(run.record.spec["degradation"])
