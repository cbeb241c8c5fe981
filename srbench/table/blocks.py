"""Stored summaries → rows → blocks of rows that may be compared, with finished cells.

A block holds rows of one test content, scale and run scale whose scores were made under one protocol, column
by column. Nothing is compared across blocks: not an inner ×2 of a ×4 network with a ×2 network, not two
degradations, not two versions of a metric's weights.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, NamedTuple, TypeAlias

from srbench.errors import UsageError, did_you_mean
from srbench.files import canonical_json
from srbench.plan import BASELINE
from srbench.store.runs import StoredRun, current_status
from srbench.table.labels import Labels, labels_of, value_text
from srbench.types import CHANNELS, scored_planes

_OF_COLUMN = ("plane", "border", "metric", "settings", "facts")
"""Keys of a protocol that may differ from column to column of one row."""

_METRICS = ("psnr", "ssim", "lpips")
_PLANES = ("r", "g", "b", "y", "rgb")
_LABELS = ("loss", "channels", "dataset", "seed", "step", "settings")


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
    def unavailable(self) -> Mapping[str, str]:
        """Metric label → why it could not be computed."""
        return self.run.summary["unavailable"] if self.run.summary else {}

    def protocol(self, column: Column) -> Mapping[str, Any]:
        """What the score in `column` depends on."""
        protocols = self.run.summary["protocols"] if self.run.summary else {}
        return dict(protocols[self.scores[column]["protocol"]])


@dataclass(frozen=True)
class Cell:
    """What stands in a column of a row.

    Args:
        text: a label, a mean, `·` (the run has no such plane), `missing`, or `–` (no picture has a value).
        rank: 1 for the best value of its block and column, 2 for the next, 0 for all others.
        gain: difference to the baseline, of metrics in dB.
        interval: 95 % interval of the mean.
        mark: number of a note.
    """

    text: str
    rank: int = 0
    gain: str = ""
    interval: str = ""
    mark: int | None = None


@dataclass(frozen=True)
class Metric:
    """What a header says of a metric."""

    label: str
    better: str | None
    unit: str

    @property
    def name(self) -> str:
        """`PSNR`, or as registered where the field has no capitals for it."""
        name = self.label.partition(":")[0]
        return name.upper() if name in _METRICS else name

    @property
    def title(self) -> str:
        """`PSNR dB ↑`, `LPIPS ↓ (squeeze)`."""
        settings = self.label.partition(":")[2].removeprefix("net=")
        arrow = {"higher": "↑", "lower": "↓"}.get(self.better or "", "")
        return " ".join(filter(None, (self.name, self.unit, arrow, f"({settings})" if settings else "")))


@dataclass
class Block:
    """Rows that may be compared, the baseline first, best values marked.

    Args:
        rows: at least one.
        columns: in the order to show.
        names: of each row, its cells under `Table.label_columns`.
        cells: of each row, column → cell.
        conditions: what its scores were made under, key → value; `facts`: the same of its metrics' insides.
        apart: those of both in which other blocks of the table differ.
        pictures: how many the means are over, those left out included.
    """

    rows: list[Row]
    columns: list[Column] = field(default_factory=list)
    names: list[list[Cell]] = field(default_factory=list)
    cells: list[dict[Column, Cell]] = field(default_factory=list)
    conditions: dict[str, str] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    apart: dict[str, str] = field(default_factory=dict)
    pictures: str = ""

    @property
    def name(self) -> str:
        """`sample ×4`, or `sample ×2 (of ×4)` for an inner output."""
        row = self.rows[0]
        inner = "" if row.scale == row.run_scale else f" (of ×{row.run_scale})"
        return f"{row.test} ×{row.scale}{inner}"

    @property
    def title(self) -> str:
        """Test, scale, pictures, and what tells it from other blocks."""
        return " · ".join([self.name, self.pictures, *(f"{key} {one}" for key, one in self.apart.items())])

    @property
    def marks(self) -> list[int]:
        """Numbers of the notes its cells refer to."""
        cells = [cell for row in self.names for cell in row]
        cells += [cell for row in self.cells for cell in row.values()]
        return sorted({cell.mark for cell in cells if cell.mark})


@dataclass(frozen=True)
class Table:
    """All that any text format shows.

    Args:
        blocks: in the order to show.
        metrics: label → what its header says.
        label_columns: names of the columns before the first metric.
        constants: what is the same for every trained row: `dataset sample`, `seed 0`.
        protocol: what all scores were made under.
        notes: the first is number 1; those about blocks have no mark.
    """

    blocks: list[Block]
    metrics: dict[str, Metric]
    label_columns: list[str]
    constants: list[str]
    protocol: list[str]
    notes: list[str]


def rows_of(
    runs: Sequence[StoredRun], metrics: Sequence[str] | None = None, tests: Sequence[str] | None = None
) -> list[Row]:
    """The rows of all scored runs in the order to show, their columns sorted.

    Args:
        runs: from the store.
        metrics: names or labels of metrics to keep (`lpips` keeps `lpips:net=squeeze`); None: all.
        tests: names of tests to keep; None: all.

    Raises:
        UsageError: a metric or test that no run has; the message lists what there is.
    """
    scored = [run for run in runs if run.summary is not None]
    labels = labels_of(scored)
    rows = _with_test_labels([row for run in scored for row in _rows_of_run(run, labels[run.id])])
    known = {column.metric for row in rows for column in row.scores}
    _check_known("metric", metrics, known.union(*(row.unavailable for row in rows)), ":")
    _check_known("test", tests, {row.test for row in rows}, "@")
    kept = []
    for row in rows:
        if _is_wanted(row.test, tests, "@"):
            columns = sorted(
                (one for one in row.scores if _is_wanted(one.metric, metrics, ":")), key=_column_order
            )
            kept.append(replace(row, scores={column: row.scores[column] for column in columns}))
    return sorted(kept, key=_row_order)


def build_table(
    runs: Sequence[StoredRun], metrics: Sequence[str] | None = None, tests: Sequence[str] | None = None
) -> Table:
    """Rows grouped to blocks, cells written, what is constant taken out, notes collected.

    Raises:
        UsageError: a metric or test that no run has.
    """
    rows = rows_of(runs, metrics, tests)
    lacking = {label for row in rows for label in row.unavailable if _is_wanted(label, metrics, ":")}
    infos = {label: Metric(label, None, "") for label in lacking}
    planes: dict[str, set[Column]] = {}
    for row in rows:
        for column, score in row.scores.items():
            infos[column.metric] = Metric(column.metric, score["better"], score["unit"])
            planes.setdefault(column.metric, set()).add(column)

    notes: dict[str, int] = {}
    blocks = []
    for block in _grouped(rows):
        columns = {column for row in block.rows for column in row.scores}
        for label in lacking.intersection(*[{*row.unavailable} for row in block.rows]):
            columns |= planes.get(label, {Column(label, "")})
        block.columns = sorted(columns, key=_column_order)
        for column in block.columns:
            _write_cells(
                block, column, infos[column.metric], lambda text: notes.setdefault(text, len(notes) + 1)
            )
        if columns:
            blocks.append(block)
    constants, label_columns = _write_names(blocks, lambda text: notes.setdefault(text, len(notes) + 1))
    protocol = _set_apart(blocks)
    return Table(blocks, infos, label_columns, constants, protocol, [*notes, *_splits(blocks)])


def _rows_of_run(run: StoredRun, labels: Labels) -> list[Row]:
    """A run's rows, each at the last step that was scored under its protocol."""
    summary = run.summary or {}
    keyed: list[tuple[_RowKey, Mapping[str, Any]]] = []
    last: dict[_RowKey, int] = {}
    for score in summary["scores"]:
        protocol = summary["protocols"][score["protocol"]]
        shared = canonical_json({key: one for key, one in protocol.items() if key not in _OF_COLUMN})
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


def _with_test_labels(rows: Sequence[Row]) -> list[Row]:
    """Rows whose test's name stands for several contents get the start of its hash: `set5@3f2a`."""
    contents: dict[str, set[str]] = {}
    for row in rows:
        contents.setdefault(row.test, set()).add(row.test_sha256)
    return [
        replace(row, test=f"{row.test}@{row.test_sha256[:4]}") if len(contents[row.test]) > 1 else row
        for row in rows
    ]


def _is_wanted(label: str, names: Sequence[str] | None, separator: str) -> bool:
    return names is None or label in names or label.split(separator)[0] in names


def _check_known(kind: str, names: Sequence[str] | None, known: set[str], separator: str) -> None:
    for name in names or ():
        if not any(_is_wanted(label, [name], separator) for label in known):
            raise UsageError(
                f"No run has scores of the {kind} {name!r}.{did_you_mean(name, known)} "
                f"There are: {', '.join(sorted(known)) or 'none yet'}."
            )


def _column_order(column: Column) -> tuple[int, str, int]:
    name = column.metric.split(":")[0]
    place = _METRICS.index(name) if name in _METRICS else len(_METRICS)
    return (place, column.metric, _PLANES.index(column.plane) if column.plane else 0)


def _row_order(row: Row) -> tuple[Any, ...]:
    """Main outputs before inner ones, the baseline first, then by label."""
    labels = row.labels
    channels = CHANNELS.index(labels.channels) if labels.channels else -1
    seed = -1 if labels.seed is None else labels.seed
    names = (labels.model, labels.loss or "", channels, labels.dataset or "", seed, labels.settings or "")
    return (*_scene(row), not row.is_baseline, *names, row.shared)


def _scene(row: Row) -> tuple[str, str, int, int]:
    return (row.test, row.test_sha256, row.run_scale, -row.scale)


def _grouped(rows: Iterable[Row]) -> list[Block]:
    """Each row joins the first block that none of its columns contradicts."""
    blocks: list[tuple[_RowKey, dict[Column, str], Block]] = []
    for row in rows:
        protocols = {column: score["protocol"] for column, score in row.scores.items()}
        for key, known, block in blocks:
            if key == row.key and all(known.get(column, one) == one for column, one in protocols.items()):
                block.rows.append(row)
                known.update(protocols)
                break
        else:
            blocks.append((row.key, protocols, Block([row])))
    # The rows came sorted by model; blocks of one test and scale stand together all the same.
    return sorted((block for _, _, block in blocks), key=lambda block: _scene(block.rows[0]))


def _write_cells(block: Block, column: Column, metric: Metric, note: Callable[[str], int]) -> None:
    scores = [row.scores.get(column) for row in block.rows]
    means = [score["mean"] if score else None for score in scores]
    largest = max((abs(mean) for mean in means if mean is not None), default=0)
    digits = 2 if metric.unit == "dB" or largest >= 10 else 4
    ranks = _ranks([(mean, f"{mean:.{digits}f}") for mean in means if mean is not None], metric.better)
    base = next((mean for row, mean in zip(block.rows, means, strict=True) if row.is_baseline), None)
    block.cells = block.cells or [{} for _ in block.rows]
    for row, score, cells in zip(block.rows, scores, block.cells, strict=True):
        cells[column] = (
            _empty(row, column, note) if score is None else _filled(row, score, digits, ranks, base, note)
        )


def _filled(
    row: Row,
    score: Mapping[str, Any],
    digits: int,
    ranks: Mapping[str, int],
    base: float | None,
    note: Callable[[str], int],
) -> Cell:
    mark = None
    if score["left_out"]:
        total = score["n"] + score["left_out"]
        mark = note(f"{score['left_out']} of {total} pictures left out: infinite or undefined.")
    if score["mean"] is None:
        return Cell("–", mark=mark)
    gain = ""
    if score["unit"] == "dB" and base is not None and not row.is_baseline:
        gain = f"{round(score['mean'] - base, digits) + 0.0:+.{digits}f}"  # + 0.0: no "-0.00"
    text = f"{score['mean']:.{digits}f}"
    interval = f"[{score['ci_low']:.{digits}f}, {score['ci_high']:.{digits}f}]"
    return Cell(text, ranks.get(text, 0), gain, interval, mark)


def _ranks(values: list[tuple[float, str]], better: str | None) -> dict[str, int]:
    """Printed value → 1 or 2; equal printed values share a rank, and a lone value has none."""
    if len(values) < 2:
        return {}
    ordered = sorted(values, reverse=better == "higher")
    best_two = list(dict.fromkeys(text for _, text in ordered))[:2]
    return {text: rank for rank, text in enumerate(best_two, 1)}


def _empty(row: Row, column: Column, note: Callable[[str], int]) -> Cell:
    channels = row.labels.channels
    if channels and column.plane and column.plane not in scored_planes(channels):
        return Cell("·")
    reason = row.unavailable.get(column.metric, "not scored yet; run the same command again.")
    return Cell("missing", mark=note(f"{column.metric}: {reason}"))


def _write_names(blocks: Sequence[Block], note: Callable[[str], int]) -> tuple[list[str], list[str]]:
    """Give each row its label cells; returns what is constant, and the names of the columns that are not."""
    rows = [row for block in blocks for row in block.rows]
    distinct = {name: {_label(row, name) for row in rows} - {""} for name in _LABELS}
    unfinished = any(_progress(row) for row in rows)
    shown = [name for name in _LABELS if len(distinct[name]) > 1 or (name == "step" and unfinished)]
    for block in blocks:
        for row in block.rows:
            names = [Cell(row.labels.model)]
            for name in shown:
                progress = _progress(row) if name == "step" else None
                names.append(Cell(_label(row, name), mark=note(progress) if progress else None))
            block.names.append(names)
    constants = [f"{name} {one}" for name in _LABELS if name not in shown for one in distinct[name]]
    return constants, ["model", *shown]


def _label(row: Row, name: str) -> str:
    if name == "step":
        return f"{row.step:,}" if row.labels.loss else ""
    value = getattr(row.labels, name)
    return "" if value is None else str(value)


def _progress(row: Row) -> str | None:
    """A note for a run that is not where it was asked to be."""
    record = row.run.record
    status = current_status(row.run)
    if status == "done":
        return None
    more = {
        "running": "and still training",
        "interrupted": "and was interrupted; run the same command to go on",
        "failed": f"and failed: {(record.reason or 'no reason is stored').rstrip('.')}",
    }[status]
    where = f"{row.run.id} is at step {record.step:,} of {record.budget:,}"
    return f"{where} {more}. Its scores are of step {row.step:,}."


def _set_apart(blocks: Sequence[Block]) -> list[str]:
    """Give each block its title's parts; returns the conditions that all blocks have in common."""
    values: dict[str, set[str]] = {}
    for block in blocks:
        block.pictures = _pictures(block)
        block.conditions, block.facts = _flat_protocols(block)
        for key, value in {**block.conditions, **block.facts}.items():
            values.setdefault(key, set()).add(value)
    for block in blocks:
        everything = {**block.conditions, **block.facts}
        block.apart = {key: value for key, value in everything.items() if len(values[key]) > 1}
    common = {
        key: value for block in blocks for key, value in block.conditions.items() if len(values[key]) == 1
    }
    return [f"{key} {value}" for key, value in common.items()]


def _pictures(block: Block) -> str:
    counts = {
        one["n"] + one["left_out"]
        for row in block.rows
        for one in (row.run.summary or {})["scores"]
        if (one["test_sha256"]) == row.test_sha256
    }
    number = "–".join(str(count) for count in sorted({min(counts), max(counts)}))
    return f"{number} picture" + ("" if number == "1" else "s")


def _flat_protocols(block: Block) -> tuple[dict[str, str], dict[str, str]]:
    """Conditions and facts of a block's scores, key → value; `edge` of SSIM is `ssim edge`."""
    conditions: dict[str, set[str]] = {}
    facts: dict[str, set[str]] = {}
    for row in block.rows:
        for column in row.scores:
            for key, value in row.protocol(column).items():
                if key in ("plane", "metric"):
                    continue
                prefix = f"{column.metric} " if key in ("settings", "facts") else ""
                found = facts if key == "facts" else conditions
                for name, one in value.items() if isinstance(value, Mapping) else [(key, value)]:
                    if not (prefix and f"{name}=" in prefix):  # the metric's label says it
                        found.setdefault(prefix + name, set()).add(value_text(one))
    return tuple({key: "/".join(sorted(all_)) for key, all_ in one.items()} for one in (conditions, facts))  # type: ignore[return-value]


def _splits(blocks: Sequence[Block]) -> list[str]:
    """A note for each test and scale whose rows had to be split, naming what differs."""
    notes = []
    for _, group in groupby(blocks, key=lambda block: _scene(block.rows[0])):
        alike = list(group)
        keys = dict.fromkeys(key for block in alike for key in block.apart)
        found = {key: dict.fromkeys(one.apart[key] for one in alike if key in one.apart) for key in keys}
        differs = "; ".join(f"{key} {' | '.join(values)}" for key, values in found.items() if len(values) > 1)
        if len(alike) > 1:
            notes.append(
                f"{alike[0].name} stands in {len(alike)} blocks that are never compared, because their "
                f"protocols differ: {differs}."
            )
    return notes
