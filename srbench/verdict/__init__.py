"""What a run's scores say of over-smoothing: the whole story of one run.

    __init__.py   stored scores and history → findings
    show.py       findings as sentences
    maps.py       where detail was lost, as pictures

Only maps.py looks at pictures again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from srbench.compare import Comparison, compare, is_psnr_alone
from srbench.errors import UsageError
from srbench.store.history import read_lines
from srbench.store.runs import StoredRun
from srbench.tables.ranks import PictureScores
from srbench.tables.rows import Column, Row, rows_of


@dataclass(frozen=True)
class Scene:
    """One test at one scale.

    Args:
        row: its scores.
        verdicts: plane → the record of the summary.
        lags: the summary's records of lagging channels, the worst first.
        presence: plane → picture → presence, of the pictures that have one.
        against: plane and metric → the paired comparison with bicubic; empty where it was not scored alike.
        psnr_alone: PSNR rose over bicubic and LPIPS did not improve.
    """

    row: Row
    verdicts: Mapping[str, Mapping[str, Any]]
    lags: Sequence[Mapping[str, Any]]
    presence: Mapping[str, Mapping[str, float]]
    against: Mapping[Column, Comparison]
    psnr_alone: bool


@dataclass(frozen=True)
class Story:
    """All that is known of one run.

    Args:
        run: from the store.
        scenes: main outputs before inner ones.
        history: step → scale → mean validation detail over planes, of each line that has one.
        validated_on: `val` or `test`, as the history says.
    """

    run: StoredRun
    scenes: Sequence[Scene]
    history: Mapping[int, Mapping[int, float]]
    validated_on: str | None


def tell(run: StoredRun, everything: Sequence[StoredRun], tests: Sequence[str] | None = None) -> Story:
    """The story of a run, as far as it has been scored.

    Args:
        run: from the store.
        everything: all runs of the store, among them the baseline.
        tests: names to keep; None: all.

    Raises:
        UsageError: nothing was scored for detail, or a test that the run has no scores of.
    """
    if run.summary is None:
        raise UsageError(f"{run.id} has no scores yet. srbench eval {run.id} makes them.")
    rows = [row for row in rows_of([run], None, tests) if row.verdicts]
    if not rows:
        raise UsageError(
            f"{run.id} has not been scored for detail. srbench eval {run.id} --metric psnr,lpips,detail "
            "fills it in."
        )
    pictures = PictureScores()
    against = _against(run, everything, tests)
    scenes = []
    for row in rows:
        mine = {one.column: one for one in against if one.row.key == row.key}
        presence = {
            plane: {
                name: value
                for name, value in pictures.of(row, Column("presence", plane)).items()
                if value == value  # not NaN
            }
            for plane in row.verdicts
        }
        scenes.append(Scene(row, row.verdicts, row.lags, presence, mine, is_psnr_alone(list(mine.values()))))
    lines = [line for line in read_lines(run.paths.history) if line.get("detail")]
    return Story(
        run,
        scenes,
        {line["step"]: _means(line["detail"]) for line in lines},
        lines[-1]["on"] if lines else None,
    )


def _against(
    run: StoredRun, everything: Sequence[StoredRun], tests: Sequence[str] | None
) -> Sequence[Comparison]:
    """The run against bicubic, where that was scored alike."""
    spec = run.record.spec
    alike = [
        one
        for one in everything
        if one.id != run.id
        and one.summary is not None
        and one.record.spec["model"]["name"] == "bicubic"
        and all(one.record.spec[key] == spec[key] for key in ("scale", "degradation"))
    ]
    for baseline in alike:
        try:
            return compare([run], [baseline], tests=tests).comparisons
        except UsageError:  # nothing in common with it
            continue
    return ()


def _means(detail: Mapping[str, Mapping[str, float | None]]) -> dict[int, float]:
    found = {
        int(scale): [one for one in planes.values() if one is not None] for scale, planes in detail.items()
    }
    return {scale: sum(values) / len(values) for scale, values in found.items() if values}
