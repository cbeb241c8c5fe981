"""The runs of a suite: whether each can be, and whether every table of the file is for some of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from srbench.datasets import build_dataset
from srbench.errors import UsageError
from srbench.plan import DEFAULT_DATASET, DEFAULT_SCALE, plan
from srbench.plan.matrix import Combination, Matrix, matches, product, request_of
from srbench.plan.terms import anchored
from srbench.suite.form import Axes, Form
from srbench.suite.located import Place
from srbench.suite.mistakes import Report, is_absence
from srbench.suite.values import COMPONENTS

_SUSPECTS = ("scale", "channels", "loss", "degradation")
"""Axes one of whose values may be what makes a run impossible, before its model is."""


@dataclass(frozen=True)
class Combinations:
    """The matrix of a suite file under examination.

    Args:
        form: the file.
        matrix: its runs, of values that can be.
        report: where mistakes go.
        folder: in which relative paths begin.
    """

    form: Form
    matrix: Matrix
    report: Report
    folder: Path

    def check(self, tests: Sequence[str] | None) -> None:
        """Note what cannot be, what is for nothing, and which pictures are not here.

        Args:
            tests: what the runs are scored on; None: each dataset's own test half.
        """
        runs = self._runs()
        whens = [(number, one) for number, one in enumerate(self.matrix.when) if one.where]
        for number, one in whens:
            if not any(matches(one.where, run, self.matrix.settings) for run in runs):
                self.report.wrong(("when", number), "This [[when]] is for no run: none fits it.")
        for run in runs:
            mine = [number for number, one in whens if matches(one.where, run, self.matrix.settings)]
            self._check_conflicts(mine)
            self._check_plan(run, mine)
        self._check_pictures(runs, tests)

    def _runs(self) -> list[Combination]:
        """All runs there would be, with a note of each table that changes nothing."""
        matrix = self.matrix
        whole = product(matrix.axes) if "model" in matrix.axes else []
        for number, pattern in enumerate(matrix.exclude):
            if pattern and whole and not any(matches(pattern, one, matrix.settings) for one in whole):
                text = "This [[exclude]] leaves nothing out: no run of [axes] fits it."
                self.report.wrong(("exclude", number), text)
        without = replace(matrix, exclude=tuple(filter(None, matrix.exclude)), include=())
        runs = without.combinations() if whole else []
        if whole and not runs and not matrix.include:
            text = "Nothing is left: every run of [axes] is left out by [[exclude]]."
            self.report.wrong(("exclude", 0), text)
        for number, added in enumerate(matrix.include):
            if not added or "model" not in {**matrix.axes, **added}:
                continue
            new = [one for one in product({**matrix.axes, **added}) if one not in runs]
            if not new:
                text = "This [[include]] adds nothing: its runs are there already."
                self.report.wrong(("include", number), text)
            runs += new
        return runs

    def _check_conflicts(self, whens: Sequence[int]) -> None:
        """That no two tables say different things of one run."""
        said: dict[str, tuple[int, str, Any]] = {}
        for number in whens:
            for key, value in self.matrix.when[number].settings.items():
                topic = "budget" if key in ("steps", "epochs") else key
                before, name, other = said.setdefault(topic, (number, key, value))
                if (name, other) != (key, value):
                    line = self.report.found.line(("when", before, "settings", name))
                    self.report.wrong(
                        ("when", number, "settings", key),
                        f"{key} is {value} here, and line {line} says that {name} is {other} for a run that "
                        "fits both. Name more axes, so that no run fits both.",
                    )

    def _check_plan(self, run: Combination, whens: Sequence[int]) -> None:
        settings = replace(self.matrix, when=tuple(self.matrix.when[n] for n in whens)).settings_for(run)
        error = _refusal(run, settings)
        if error is not None:
            named = ", ".join(f"{axis} {run[axis]}" for axis in ("model", *_SUSPECTS) if axis in run)
            text = f"{str(error).rstrip('.')}. It is so for the run of {named}."
            self.report.wrong(self._cause(run, settings, whens), text)

    def _cause(self, run: Combination, settings: Mapping[str, Any], whens: Sequence[int]) -> Place:
        """Where the value stands that makes a run impossible; else its model."""
        if _refusal(run, {}) is None:
            key = next((key for key, value in settings.items() if _refusal(run, {key: value})), None)
            if key is None:
                return self._place_of("model", run["model"])
            by = [number for number in whens if key in self.matrix.when[number].settings]
            return ("when", by[-1], "settings", key) if by else ("settings", key)
        for axis in _SUSPECTS:
            others = {name: value for name, value in run.items() if name != axis}
            if axis in run and _refusal(others, {}) is None:
                return self._place_of(axis, run[axis])
        return self._place_of("model", run["model"])

    def _place_of(self, axis: str, value: Any) -> Place:
        """Where a value of an axis stands: in [axes], or else in the [[include]] that has it."""
        tables: list[tuple[Place, Axes]] = [(("axes",), self.form.axes)]
        tables += [(("include", number), one) for number, one in enumerate(self.form.include)]
        for place, axes in tables:
            for number, one in enumerate(getattr(axes, axis) or ()):
                if one == value or (axis in COMPONENTS and self._anchored(axis, one) == value):
                    return (*place, axis, number)
        return ("axes",)

    def _anchored(self, axis: Any, text: str) -> str | None:
        try:
            return anchored(axis, text, self.folder)
        except UsageError:
            return None

    def _check_pictures(self, runs: Sequence[Combination], tests: Sequence[str] | None) -> None:
        asked = {(run.get("dataset", DEFAULT_DATASET), run.get("scale", DEFAULT_SCALE)): None for run in runs}
        for text, scale in asked:
            place = self._place_of("dataset", text)
            self.report.attempt(place, lambda text=text, scale=scale: _look(text, scale, tests is None))  # type: ignore[misc]
        for number, text in enumerate(tests or ()):
            for scale in dict.fromkeys(scale for _, scale in asked):
                place = ("scoring", "test", number)
                self.report.attempt(place, lambda text=text, scale=scale: build_dataset(text, scale).test)  # type: ignore[misc]


def _look(text: str, scale: int, is_scored: bool) -> None:
    """Refuse a dataset without what it is needed for."""
    dataset = build_dataset(text, scale)
    dataset.spec  # noqa: B018 - raises where there is nothing to train on
    if is_scored:
        dataset.test  # noqa: B018


def _refusal(run: Combination, settings: Mapping[str, Any]) -> UsageError | None:
    """Why a run cannot be, with the pictures at hand for those that may be elsewhere."""
    try:
        plan(request_of({**run, "dataset": DEFAULT_DATASET}, settings))
    except UsageError as error:
        return None if is_absence(error) else error
    return None
