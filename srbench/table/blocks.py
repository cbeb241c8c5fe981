"""Stored summaries → rows → blocks of rows that may be compared, with finished cells.

A block holds rows of one test content, scale and run scale whose scores were made under one protocol, column
by column. Nothing is compared across blocks: not an inner ×2 of a ×4 network with a ×2 network, not two
degradations, not two versions of a metric's weights.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, NamedTuple, TypeAlias

from srbench.errors import UsageError, did_you_mean
from srbench.files import canonical_json
from srbench.plan import BASELINE
from srbench.store.runs import StoredRun, current_status
from srbench.table.labels import Labels, labels_of, value_text
from srbench.types import CHANNELS, scored_planes

_PER_SCORE = ("plane", "border", "metric", "settings", "facts")
"""Keys of a protocol that may differ from column to column of one row."""

_FIRST = ("psnr", "ssim", "lpips")
_PLANES = ("r", "g", "b", "y", "rgb")
_LABELS = ("loss", "channels", "dataset", "seed", "step", "settings")

NOT_APPLICABLE = "·"


class Column(NamedTuple):
    """One metric, by its label, on one plane; an empty plane where no run could compute the metric."""

    metric: str
    plane: str


_RowKey: TypeAlias = tuple[str, str, int, int, str]


@dataclass(frozen=True)
class Row:
    """One run on one test at one scale, scored under one protocol, at the last step that was scored."""

    run: StoredRun
    labels: Labels
    test: str
    test_sha256: str
    run_scale: int
    scale: int
    shared: str
    step: int
    scores: dict[Column, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def key(self) -> _RowKey:
        """What rows must have in common to be compared, apart from the protocol of each column."""
        return (self.test, self.test_sha256, self.run_scale, self.scale, self.shared)

    @property
    def is_baseline(self) -> bool:
        """Whether this is the row that others are set against."""
        return bool(self.run.record.spec["model"]["name"] == BASELINE)

    @property
    def protocols(self) -> dict[Column, str]:
        """Column → protocol hash."""
        return {column: score["protocol"] for column, score in self.scores.items()}


@dataclass(frozen=True)
class Cell:
    """What stands in a column of a row.

    Args:
        text: the mean, `·` (the run has no such plane), `missing`, or `–` (no picture has a value).
        rank: 1 for the best value of its block and column, 2 for the next, 0 for all others.
        gain: difference to the baseline, of metrics in dB.
        interval: 95 % interval of the mean.
        mark: number of a note.
    """

    text: str
    rank: int = 0
    gain: str | None = None
    interval: str | None = None
    mark: int | None = None


@dataclass(frozen=True)
class Metric:
    """What a header says of a metric."""

    label: str
    better: str | None
    unit: str

    @property
    def title(self) -> str:
        """`PSNR dB ↑`, `LPIPS ↓ (squeeze)`."""
        name, _, settings = self.label.partition(":")
        arrow = {"higher": "↑", "lower": "↓", None: ""}[self.better]
        shown = ",".join(one.removeprefix("net=") for one in settings.split(",")) if settings else ""
        words = (name.upper() if name in _FIRST else name, self.unit, arrow, f"({shown})" if shown else "")
        return " ".join(filter(None, words))


@dataclass
class Block:
    """Rows that may be compared, best values marked.

    Args:
        rows: the baseline first.
        names: of each row, its texts under `Table.label_columns`.
        cells: of each row, column → cell.
        conditions: what its scores were made under, key → value.
        apart: those conditions in which other blocks of the table differ.
        marks: numbers of the notes its rows and cells refer to.
    """

    rows: list[Row]
    columns: list[Column] = field(default_factory=list)
    names: list[list[str]] = field(default_factory=list)
    cells: list[dict[Column, Cell]] = field(default_factory=list)
    conditions: dict[str, str] = field(default_factory=dict)
    apart: list[str] = field(default_factory=list)
    marks: set[int] = field(default_factory=set)

    @property
    def factor(self) -> str:
        """`×4`, or `×2 (of ×4)` for an inner output."""
        row = self.rows[0]
        return f"×{row.scale}" if row.scale == row.run_scale else f"×{row.scale} (of ×{row.run_scale})"

    @property
    def test(self) -> str:
        """The test's label."""
        return self.rows[0].test

    @property
    def pictures(self) -> str:
        """How many pictures the means are over, those left out included."""
        counts = {score["n"] + score["left_out"] for row in self.rows for score in row.scores.values()}
        number = "–".join(str(count) for count in sorted({min(counts), max(counts)}))
        return f"{number} picture" + ("" if number == "1" else "s")

    @property
    def title(self) -> str:
        """Test, scale, pictures, and what tells it from other blocks."""
        return " · ".join([f"{self.test} {self.factor}", self.pictures, *self.apart])


@dataclass(frozen=True)
class Table:
    """All that any text format shows.

    Args:
        constants: what is the same for every trained row: `dataset sample`, `seed 0`.
        protocol: what all scores were made under.
        label_columns: names of the columns before the first metric.
        metrics: label → metric.
        blocks: in the order to show.
        notes: the first is number 1.
    """

    constants: list[str]
    protocol: list[str]
    label_columns: list[str]
    metrics: dict[str, Metric]
    blocks: list[Block]
    notes: list[str]


def rows_of(
    runs: Sequence[StoredRun], metrics: Sequence[str] | None = None, tests: Sequence[str] | None = None
) -> list[Row]:
    """The rows of all scored runs in the order to show, columns sorted.

    Args:
        runs: from the store.
        metrics: names or labels of metrics to keep (`lpips` keeps `lpips:net=squeeze`); None: all.
        tests: names of tests to keep; None: all.

    Raises:
        UsageError: a metric or test that no run has; the message lists what there is.
    """
    scored = [run for run in runs if run.summary is not None]
    labels = labels_of(scored)
    rows = [row for run in scored for row in _rows_of_run(run, labels[run.id])]
    known = {column.metric for row in rows for column in row.scores} | {
        label for run in scored for label in (run.summary or {})["unavailable"]
    }
    keep = [label for label in known if metrics is None or _is_named(label, metrics, ":")]
    _check_known("metric", metrics, known, ":")
    rows = _with_test_labels(rows)
    _check_known("test", tests, {row.test for row in rows}, "@")

    kept = []
    for row in rows:
        scores = {column: row.scores[column] for column in sorted(row.scores, key=_column_order)}
        scores = {column: score for column, score in scores.items() if column.metric in keep}
        wanted = scores or any(label in keep for label in (row.run.summary or {})["unavailable"])
        if wanted and (tests is None or _is_named(row.test, tests, "@")):
            kept.append(replace(row, scores=scores))
    return sorted(kept, key=_row_order)


def build_table(
    runs: Sequence[StoredRun],
    metrics: Sequence[str] | None = None,
    tests: Sequence[str] | None = None,
) -> Table:
    """Rows grouped to blocks, cells written, what is constant taken out, notes collected.

    Raises:
        UsageError: a metric or test that no run has.
    """
    rows = [row for row in rows_of(runs, metrics, tests) if row.scores]
    found = {
        score["metric"]: Metric(score["metric"], score["better"], score["unit"])
        for row in rows
        for score in row.scores.values()
    }
    lacking = sorted(
        {label for row in rows for label in _unavailable(row) if metrics is None or _is_named(label, metrics, ":")}
    )
    infos = {**found, **{label: Metric(label, None, "") for label in lacking if label not in found}}
    planes = {label: [c for row in rows for c in row.scores if c.metric == label] for label in infos}
    blocks = _grouped(rows)
    notes: dict[str, int] = {}
    for block in blocks:
        absent = [label for row in block.rows for label in _unavailable(row) if label in infos]
        columns = {column for row in block.rows for column in row.scores}
        for label in absent:
            if not any(column.metric == label for column in columns):
                columns.update(planes[label] or [Column(label, "")])
        block.columns = sorted(columns, key=_column_order)
        block.cells = [{} for _ in block.rows]
        for column in block.columns:
            for cells, cell in zip(block.cells, _cells(block, column, infos[column.metric], notes), strict=True):
                cells[column] = cell
    protocol = _set_apart(blocks, notes)
    constants, label_columns = _set_names(blocks, notes)
    for block in blocks:
        block.marks.update(cell.mark for cells in block.cells for cell in cells.values() if cell.mark)
    return Table(constants, protocol, label_columns, infos, blocks, list(notes))


def _rows_of_run(run: StoredRun, labels: Labels) -> list[Row]:
    """A run's rows, each at the last step that was scored under its protocol."""
    summary = run.summary or {}
    keyed = []
    last: dict[_RowKey, int] = {}
    for score in summary["scores"]:
        protocol = summary["protocols"][score["protocol"]]
        shared = canonical_json({key: one for key, one in protocol.items() if key not in _PER_SCORE})
        key = (score["test"], score["test_sha256"], score["run_scale"], score["scale"], shared)
        last[key] = max(last.get(key, 0), score["step"])
        keyed.append((key, score))
    rows: list[Row] = []
    for key, score in keyed:
        if score["step"] < last[key]:
            continue
        column = Column(score["metric"], score["plane"])
        # A second protocol for the same column, such as LPIPS under other weights, makes a second row.
        row = next((row for row in rows if row.key == key and column not in row.scores), None)
        if row is None:
            row = Row(run, labels, *key, step=last[key])
            rows.append(row)
        row.scores[column] = score
    return rows


def _with_test_labels(rows: Iterable[Row]) -> list[Row]:
    """Rows whose test's name stands for several contents get the start of its hash: `set5@3f2a`."""
    rows = list(rows)
    contents: dict[str, set[str]] = {}
    for row in rows:
        contents.setdefault(row.test, set()).add(row.test_sha256)
    return [
        replace(row, test=f"{row.test}@{row.test_sha256[:4]}") if len(contents[row.test]) > 1 else row
        for row in rows
    ]


def _is_named(label: str, names: Sequence[str], separator: str) -> bool:
    return label in names or label.split(separator)[0] in names


def _check_known(kind: str, names: Sequence[str] | None, known: set[str], separator: str) -> None:
    for name in names or ():
        if not any(_is_named(label, [name], separator) for label in known):
            raise UsageError(
                f"No run has scores of the {kind} {name!r}.{did_you_mean(name, known)} "
                f"There are: {', '.join(sorted(known)) or 'none yet'}."
            )


def _unavailable(row: Row) -> Mapping[str, str]:
    reasons: Mapping[str, str] = (row.run.summary or {})["unavailable"]
    return reasons


def _column_order(column: Column) -> tuple[int, str, int]:
    name = column.metric.split(":")[0]
    place = _FIRST.index(name) if name in _FIRST else len(_FIRST)
    return (place, column.metric, _PLANES.index(column.plane) if column.plane else 0)


def _row_order(row: Row) -> tuple[Any, ...]:
    """Main outputs before inner ones, the baseline first, then by label."""
    labels = row.labels
    channels = [*CHANNELS].index(labels.channels) if labels.channels in CHANNELS else -1  # type: ignore[arg-type]
    seed = -1 if labels.seed is None else labels.seed
    names = (labels.model, labels.loss or "", channels, labels.dataset or "", seed, labels.settings or "")
    return (row.test, row.test_sha256, row.run_scale, -row.scale, not row.is_baseline, *names, row.shared)


def _grouped(rows: Iterable[Row]) -> list[Block]:
    """Each row joins the first block that none of its columns contradicts."""
    blocks: list[tuple[_RowKey, dict[Column, str], Block]] = []
    for row in rows:
        for key, protocols, block in blocks:
            if key == row.key and all(protocols.get(c, p) == p for c, p in row.protocols.items()):
                break
        else:
            protocols, block = {}, Block([])
            blocks.append((row.key, protocols, block))
        protocols.update(row.protocols)
        block.rows.append(row)
    # The rows came sorted by model; blocks of one test and scale stand together all the same.
    return sorted((block for _, _, block in blocks), key=lambda block: _row_order(block.rows[0])[:4])


def _cells(block: Block, column: Column, metric: Metric, notes: dict[str, int]) -> list[Cell]:
    scores = [row.scores.get(column) for row in block.rows]
    means = [score["mean"] if score else None for score in scores]
    digits = 2 if metric.unit == "dB" or max((abs(mean) for mean in means if mean is not None), default=0) >= 10 else 4
    texts = [None if mean is None else f"{mean:.{digits}f}" for mean in means]
    ranks = _ranks(means, texts, metric.better)
    base = next((mean for row, mean in zip(block.rows, means, strict=True) if row.is_baseline), None)
    cells = []
    for row, score, text in zip(block.rows, scores, texts, strict=True):
        if score is None:
            cells.append(_empty(row, column, notes))
            continue
        mark = None
        if score["left_out"]:
            total = score["n"] + score["left_out"]
            mark = _note(notes, f"{score['left_out']} of {total} pictures left out: infinite or undefined.")
        if text is None:
            cells.append(Cell("–", mark=mark))
            continue
        gain = None
        if metric.unit == "dB" and base is not None and not row.is_baseline:
            gain = f"{round(score['mean'] - base, digits) + 0.0:+.{digits}f}"
        interval = f"[{score['ci_low']:.{digits}f}, {score['ci_high']:.{digits}f}]"
        cells.append(Cell(text, ranks.get(text, 0), gain, interval, mark))
    return cells


def _ranks(means: Sequence[float | None], texts: Sequence[str | None], better: str | None) -> dict[str, int]:
    """Printed value → 1 or 2; equal printed values share a rank, and a lone value has none."""
    values = [(mean, text) for mean, text in zip(means, texts, strict=True) if mean is not None and text]
    if len(values) < 2:
        return {}
    values.sort(reverse=better == "higher")
    best_two = list(dict.fromkeys(text for _, text in values))[:2]
    return {text: rank for rank, text in enumerate(best_two, 1)}


def _empty(row: Row, column: Column, notes: dict[str, int]) -> Cell:
    channels = row.labels.channels
    if channels and column.plane and column.plane not in scored_planes(channels):  # type: ignore[arg-type]
        return Cell(NOT_APPLICABLE)
    reason = _unavailable(row).get(column.metric)
    if reason is None:
        reason = "not scored yet; run the same command again."
    return Cell("missing", mark=_note(notes, f"{column.metric}: {reason}"))


def _note(notes: dict[str, int], text: str) -> int:
    return notes.setdefault(text, len(notes) + 1)


def _set_apart(blocks: Sequence[Block], notes: dict[str, int]) -> list[str]:
    """Give each block what it was scored under and what sets it apart; returns what is common to all."""
    facts: set[str] = set()
    for block in blocks:
        block.conditions = _conditions(block, facts)
    values: dict[str, set[str]] = {}
    for block in blocks:
        for key, value in block.conditions.items():
            values.setdefault(key, set()).add(value)
    for block in blocks:
        block.apart = [f"{key} {value}" for key, value in block.conditions.items() if len(values[key]) > 1]
    for _, group in groupby(blocks, key=lambda block: block.rows[0].key[:4]):
        alike = list(group)
        if len(alike) > 1:
            keys = {key for block in alike for key in block.conditions}
            split = {key: {one.conditions[key] for one in alike if key in one.conditions} for key in sorted(keys)}
            differs = [f"{key} {' | '.join(sorted(found))}" for key, found in split.items() if len(found) > 1]
            number = _note(
                notes,
                f"{alike[0].test} {alike[0].factor} is in {len(alike)} blocks, which are never compared: "
                f"their protocols differ ({'; '.join(differs)}).",
            )
            for block in alike:
                block.marks.add(number)
    return [
        f"{key} {next(iter(found))}" for key, found in values.items() if len(found) == 1 and key not in facts
    ]


def _conditions(block: Block, facts: set[str]) -> dict[str, str]:
    """The protocols of a block, flat. Adds to `facts` the keys that only matter where blocks differ in them."""
    values: dict[str, set[str]] = {}
    for row in block.rows:
        protocols = (row.run.summary or {})["protocols"]
        for column, score in row.scores.items():
            for key, value in protocols[score["protocol"]].items():
                if key in ("plane", "metric"):
                    continue
                of_metric = key in ("settings", "facts")
                for name, one in value.items() if isinstance(value, Mapping) else [(key, value)]:
                    if of_metric and f"{name}=" in column.metric:
                        continue  # the metric's label says it
                    full = f"{column.metric} {name}" if of_metric else name
                    values.setdefault(full, set()).add(value_text(one))
                    if key == "facts":
                        facts.add(full)
    return {key: "/".join(sorted(found)) for key, found in values.items()}


def _set_names(blocks: Sequence[Block], notes: dict[str, int]) -> tuple[list[str], list[str]]:
    """Give each row its texts; returns what is constant, and the names of the columns that are not."""
    texts: dict[str, list[list[str | None]]] = {}
    unfinished = False
    for block in blocks:
        for row in block.rows:
            mark = _progress_mark(row, notes)
            unfinished = unfinished or mark is not None
            step = None if row.labels.loss is None else f"{row.step:,}"
            if mark is not None:
                block.marks.add(mark)
                step = f"{step} ({mark})"
            seed = None if row.labels.seed is None else str(row.labels.seed)
            named = {**vars(row.labels), "seed": seed, "step": step}
            for name in _LABELS:
                texts.setdefault(name, []).append(named[name])
    distinct = {name: {text for text in column if text is not None} for name, column in texts.items()}
    shown = [name for name in _LABELS if len(distinct.get(name, ())) > 1 or (name == "step" and unfinished)]
    constants = [
        f"{name} {next(iter(found))}" for name, found in distinct.items() if found and name not in shown
    ]
    rows = iter(zip(*(texts[name] for name in shown), strict=True) if shown else ())
    for block in blocks:
        for row in block.rows:
            block.names.append([row.labels.model, *(text or "" for text in (next(rows) if shown else ()))])
    return constants, ["model", *shown]


def _progress_mark(row: Row, notes: dict[str, int]) -> int | None:
    """A note for a run that is not where it was asked to be."""
    record = row.run.record
    status = current_status(row.run)
    if status == "done":
        return None
    where = f"{row.run.id} is at step {record.step:,} of {record.budget:,}"
    more = {
        "running": "and still training",
        "interrupted": "and was interrupted; run the same command to go on",
        "failed": f"and failed: {(record.reason or 'no reason is stored').rstrip('.')}",
    }[status]
    return _note(notes, f"{where} {more}. Its scores are of step {row.step:,}.")
