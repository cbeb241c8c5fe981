"""Rows → blocks of rows that may be compared, with finished cells and the notes they refer to.

A block holds rows of one test content, scale and run scale whose scores were made under one protocol, column
by column. Nothing is compared across blocks: not an inner ×2 of a ×4 network with a ×2 network, not two
degradations, not two versions of a metric's weights.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby
from typing import Any, TypeAlias

from srbench.store.runs import StoredRun, current_status
from srbench.tables.choice import Choice
from srbench.tables.labels import value_text
from srbench.tables.ranks import Entry, PictureScores, ranked
from srbench.tables.rows import Column, Row, RowKey, is_named, rows_of
from srbench.tables.said import Said, said_of
from srbench.types import scored_planes

_LABELS = ("loss", "channels", "dataset", "seed", "step", "settings")

_CONDITIONS = ("degradation", "grey", "colour", "quantise", "border")
"""What is said first of a protocol."""

_ACRONYMS = ("psnr", "ssim", "lpips")
_OF_DETAIL = ("detail", "presence", "invented", "slope", "contrast", "shift", "content")

_MARKS = "abcdefghijklmnoprstuvwxyz"  # no q: it has no raised form in Unicode

_Note: TypeAlias = Callable[[str], str]
"""Takes the text of a note and gives its mark; the same text has one mark."""


@dataclass(frozen=True)
class Cell:
    """What stands in a column of a row.

    Args:
        text: a label, a mean, `·` (the run has no such plane), `missing`, or `–` (no picture has a value).
        rank: 1 for the best value of its block and column, 2 for the next, 0 for all others.
        tied: rank 1, and so are others: the paired test does not tell them apart.
        gain: difference to the baseline, of metrics in dB.
        interval: 95 % interval of the mean.
        mark: of a note. A letter, since a raised figure after a number reads as a power.
    """

    text: str
    rank: int = 0
    tied: bool = False
    gain: str = ""
    interval: str = ""
    mark: str = ""

    @property
    def is_best(self) -> bool:
        """Whether it is best alone."""
        return self.rank == 1 and not self.tied


TIE = "≈"
"""Stands at values that are tied for the best."""


@dataclass(frozen=True)
class Metric:
    """What a header says of a metric."""

    label: str
    better: str | None = None
    unit: str = ""

    @property
    def name(self) -> str:
        """`PSNR`; as registered where the field has no capitals for it."""
        name = self.label.partition(":")[0]
        return name.upper() if name in _ACRONYMS else name

    @property
    def arrow(self) -> str:
        """Which way is better; nothing where no run could compute the metric."""
        return {"higher": "↑", "lower": "↓"}.get(self.better or "", "")

    @property
    def settings(self) -> str:
        """`(squeeze)` for a network, `(edge=replicate)` for another setting its label names."""
        settings = self.label.partition(":")[2].removeprefix("net=")
        return f"({settings})" if settings else ""

    @property
    def title(self) -> str:
        """`PSNR dB ↑`, `LPIPS ↓ (squeeze)`."""
        return " ".join(filter(None, (self.name, self.unit, self.arrow, self.settings)))


@dataclass
class Block:
    """Rows that may be compared, the baseline first, best values marked.

    Args:
        rows: at least one.
        columns: in the order to show.
        names: of each row, its cells under `Table.label_columns`.
        cells: of each row, column → cell.
        conditions: what its scores were made under, key → value.
        facts: the same of its metrics' insides, such as the hash of their weights.
        apart: those of both in which other blocks of the table differ.
        verdicts: of each row, what is said of over-smoothing; empty where no row has any.
        untested: why best values are marked without a paired test; empty where they were tested.
        total: how many rows it has in all; more than are in `rows` where a choice left some out.
        rivals: rows that are not shown and come next to the best in a column: they take part in its test.
        chosen: which rows are shown, where not all are.
    """

    rows: list[Row]
    columns: list[Column] = field(default_factory=list)
    names: list[list[Cell]] = field(default_factory=list)
    cells: list[dict[Column, Cell]] = field(default_factory=list)
    conditions: dict[str, str] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    apart: dict[str, str] = field(default_factory=dict)
    verdicts: list[Said] = field(default_factory=list)
    untested: str = ""
    total: int = 0
    rivals: list[Row] = field(default_factory=list)
    chosen: str = ""

    @property
    def name(self) -> str:
        """`sample ×4`, or `sample ×2 (of ×4)` for an inner output."""
        return scene_name(self.rows[0])

    @property
    def pictures(self) -> str:
        """How many pictures the means are over, those left out included, and whether they are in doubt."""
        number = "/".join(str(count) for count in sorted({row.pictures for row in self.rows}))
        doubt = ", unverified" if any(row.unverified for row in self.rows) else ""
        return f"{number} picture" + ("" if number == "1" else "s") + doubt

    @property
    def title(self) -> str:
        """Test, scale, pictures, and what tells it from other blocks."""
        return " · ".join([self.name, self.pictures, *(f"{key} {one}" for key, one in self.apart.items())])

    @property
    def marks(self) -> list[str]:
        """Of the notes its cells refer to."""
        cells = [cell for row in self.names for cell in row]
        cells += [cell for row in self.cells for cell in row.values()]
        return sorted({cell.mark for cell in cells if cell.mark})


def scene_name(row: Row) -> str:
    """`sample ×4`, or `sample ×2 (of ×4)` for an inner output."""
    inner = "" if row.scale == row.run_scale else f" (of ×{row.run_scale})"
    return f"{row.test} ×{row.scale}{inner}"


@dataclass(frozen=True)
class Table:
    """All that any text format shows.

    Args:
        blocks: in the order to show.
        metrics: label → what its header says.
        label_columns: names of the columns before the first metric.
        constants: label column → what every row has there that has anything (bicubic has no seed).
        protocol: what all scores were made under.
        notes: mark → what cells refer to by it.
        remarks: why a test and scale has several blocks, where best values are not tested, and why a test is
            unverified.
    """

    blocks: list[Block]
    metrics: dict[str, Metric]
    label_columns: list[str]
    constants: dict[str, str]
    protocol: list[str]
    notes: dict[str, str]
    remarks: list[str]


def build_table(
    runs: Sequence[StoredRun],
    metrics: Sequence[str] | None = None,
    tests: Sequence[str] | None = None,
    choice: Choice | None = None,
) -> Table:
    """Rows grouped to blocks, cells written, what is constant taken out, notes collected.

    Args:
        runs: all of a store, or those that `choice` names.
        metrics, tests: as in `rows_of`.
        choice: which of their rows are shown, made with the same metrics and tests; None: all.

    Raises:
        UsageError: a metric or test that no run has.
    """
    if choice is None:
        rows = rows_of(runs, metrics, tests)
    else:
        rows = [row for row in rows_of(runs, metrics, test_names=choice.test_names) if choice.place(row)]
    infos: dict[str, Metric] = {}
    planes: dict[str, set[Column]] = {}
    for row in rows:
        for column, score in row.scores.items():
            infos[column.metric] = Metric(column.metric, score["better"], score["unit"])
            planes.setdefault(column.metric, set()).add(column)
    marks: dict[str, str] = {}

    def note(text: str) -> str:
        turn, letter = divmod(len(marks), len(_MARKS))
        return marks.setdefault(text, _MARKS[letter] * (turn + 1))

    blocks = []
    for block in _grouped(rows) if choice is None else _placed(rows, choice):
        columns = {column for row in block.rows for column in row.scores}
        scored = {column.metric for column in columns}
        for label in {label for row in block.rows for label in row.unavailable} - scored:
            if metrics is None or is_named(label, metrics):
                infos.setdefault(label, Metric(label))
                columns |= planes.get(label, {Column(label, "")})
        block.columns = sorted(columns, key=lambda column: column.order)
        if block.columns:
            blocks.append(block)
    constants, label_columns = _write_names(blocks, note)
    pictures = PictureScores()
    for block in blocks:
        block.cells = [{} for _ in block.rows]
        for column in block.columns:
            _write_cells(block, column, infos[column.metric], note, pictures)
        said = [said_of(row) for row in block.rows]
        block.verdicts = said if any(one.text for one in said) else []
    protocol = _set_apart(blocks)
    notes = {mark: text for text, mark in marks.items()}
    untested = dict.fromkeys(
        f"{block.name}: best values are marked without a test, since {block.untested}."
        for block in blocks
        if block.untested
    )
    chosen = [f"{block.name}: {block.chosen}." for block in blocks if block.chosen]
    remarks = [*chosen, *_splits(blocks), *untested, *_doubts(blocks)]
    return Table(blocks, infos, label_columns, constants, protocol, notes, remarks)


def _grouped(rows: Iterable[Row]) -> list[Block]:
    """Each row joins the first block that none of its columns contradicts."""
    blocks: list[tuple[RowKey, dict[Column, str], Block]] = []
    for row in rows:
        protocols = {column: score["protocol"] for column, score in row.scores.items()}
        for key, known, block in blocks:
            if key == row.key and all(known.get(column, one) == one for column, one in protocols.items()):
                block.rows.append(row)
                known.update(protocols)
                break
        else:
            blocks.append((row.key, protocols, Block([row])))
    return _in_order(replace(block, total=len(block.rows)) for _, _, block in blocks)


def _placed(rows: Iterable[Row], choice: Choice) -> list[Block]:
    """Each row in the block that was chosen for it."""
    blocks: dict[int, Block] = {}
    for row in rows:
        place = choice.place(row)
        if place is not None:
            block = blocks.setdefault(place.block, Block([], total=choice.totals[place.block]))
            (block.rows if place.is_shown else block.rivals).append(row)
    for number, block in blocks.items():
        leading = choice.leading[number]
        if leading is not None:
            block.chosen = _said_of_choice(block, choice.top, leading)
    return _in_order(blocks.values())


def _said_of_choice(block: Block, top: int, leading: Column) -> str:
    baseline = "bicubic, " if any(row.is_baseline for row in block.rows) else ""
    by = f" by {Metric(leading.metric).name} {leading.plane}" if leading.metric else ""
    return (
        f"{len(block.rows):,} of {block.total:,} rows are shown: {baseline}the {top:,} best{by}, and "
        "the best of every other column. Best values are the best of all rows; ties are looked for among "
        "those shown. --top N shows more rows, --all every one"
    )


def _in_order(blocks: Iterable[Block]) -> list[Block]:
    """Blocks of one test and scale stand together, the one with most rows first."""
    return sorted(blocks, key=lambda block: (block.rows[0].scene, -block.total))


def _write_cells(block: Block, column: Column, metric: Metric, note: _Note, pictures: PictureScores) -> None:
    """Fill one column of a block. A mean over fewer pictures than others' has no rank and no gain."""
    contenders = [*block.rows, *block.rivals]
    scores = [row.scores.get(column) for row in contenders]
    most = max((score["n"] for score in scores if score), default=0)
    means = {at: score["mean"] for at, score in enumerate(scores) if score and score["n"] == most > 0}
    digits = digits_of(metric, means.values())
    entries = [
        Entry(f"{mean:.{digits}f}", mean, partial(pictures.of, contenders[at], column))
        for at, mean in means.items()
    ]
    ranks, untested = ranked(entries, metric.better)
    rank_of = dict(zip(means, ranks, strict=True))
    block.untested = block.untested or untested
    base = None
    for at, (row, score, cells) in enumerate(
        zip(block.rows, scores, block.cells, strict=False)
    ):  # without rivals
        if score is None:
            cells[column] = _empty(row, column, note)
            continue
        mean, mark = score["mean"], _mark_left_out(score, most, note)
        if mean is None:
            cells[column] = Cell("–", mark=mark)
            continue
        text = f"{mean:.{digits}f}"
        interval = f"[{score['ci_low']:.{digits}f}, {score['ci_high']:.{digits}f}]"
        if score["n"] < most:
            cells[column] = Cell(text, interval=interval, mark=mark)
            continue
        gain = ""
        if row.is_baseline:
            base = mean if base is None else base  # the baseline is the first row
        elif base is not None and metric.unit == "dB":
            gain = f"{round(mean - base, digits) + 0.0:+.{digits}f}"  # + 0.0 turns -0.00 into +0.00
        cells[column] = Cell(text, *rank_of[at], gain, interval, mark)


def digits_of(metric: Metric, means: Iterable[float]) -> int:
    """Decimals to print: 2 of decibels and large numbers, 3 of detail, whose intervals are wide, else 4."""
    if metric.unit == "dB" or max(map(abs, means), default=0) >= 10:
        return 2
    return 3 if metric.label in _OF_DETAIL else 4


def _mark_left_out(score: Mapping[str, Any], most: int, note: _Note) -> str:
    if not score["left_out"]:
        return ""
    total = score["n"] + score["left_out"]
    fewer = " Not compared with means over more pictures." if score["n"] < most else ""
    return note(f"{score['left_out']} of {total} pictures left out: infinite or undefined.{fewer}")


def _empty(row: Row, column: Column, note: _Note) -> Cell:
    channels = row.labels.channels
    if channels and column.plane and column.plane not in scored_planes(channels):
        return Cell("·")
    reason = row.unavailable.get(column.metric, "not scored yet; run the same command again.")
    says_itself = column.metric.partition(":")[0] in reason.lower()
    return Cell("missing", mark=note(reason if says_itself else f"{column.metric}: {reason}"))


def _write_names(blocks: Sequence[Block], note: _Note) -> tuple[dict[str, str], list[str]]:
    """Give each row its label cells; returns what is constant, and the names of the columns that are not."""
    rows = [row for block in blocks for row in block.rows]
    distinct = {name: {row.label(name) for row in rows} - {""} for name in _LABELS}
    progress = {row.run.id: _progress(row) for row in rows}
    unfinished = any(progress.values())
    shown = [name for name in _LABELS if len(distinct[name]) > 1 or (name == "step" and unfinished)]
    for block in blocks:
        for row in block.rows:
            text = progress[row.run.id]
            mark = note(text) if text else ""
            cells = [Cell(row.label(name), mark=mark if name == "step" else "") for name in shown]
            block.names.append([Cell(row.labels.model), *cells])
    constants = {name: one for name in _LABELS if name not in shown for one in distinct[name]}
    return constants, ["model", *shown]


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
    """Give each block what its title needs; returns the conditions that all blocks have in common."""
    values: dict[str, set[str]] = {}
    for block in blocks:
        block.conditions = _flat(block, _of_conditions)
        block.facts = _flat(block, _of_facts)
        for key, value in {**block.conditions, **block.facts}.items():
            values.setdefault(key, set()).add(value)
    common = {}
    for block in blocks:
        everything = {**block.conditions, **block.facts}
        block.apart = {key: value for key, value in everything.items() if len(values[key]) > 1}
        common.update({key: value for key, value in block.conditions.items() if len(values[key]) == 1})
    return [f"{key} {value}" for key, value in common.items()]


def _flat(
    block: Block, items: Callable[[str, Mapping[str, Any]], Iterable[tuple[str, Any]]]
) -> dict[str, str]:
    found: dict[str, set[str]] = {}
    # Most rows share their protocols, and a table may have many rows.
    protocols = {
        (column.metric, score["protocol"]): row for row in block.rows for column, score in row.scores.items()
    }
    for (metric, key), row in protocols.items():
        for name, value in items(metric, row.protocols[key]):
            found.setdefault(name, set()).add(value_text(value))
    keys = sorted(found, key=lambda key: _CONDITIONS.index(key) if key in _CONDITIONS else len(_CONDITIONS))
    return {key: "/".join(sorted(found[key])) for key in keys}


def _of_conditions(label: str, protocol: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    for key, value in protocol.items():
        if key == "settings":  # those that the label names are said already
            yield from ((f"{label} {name}", one) for name, one in value.items() if f"{name}=" not in label)
        elif isinstance(value, Mapping) and key != "facts":
            yield from value.items()
        elif key not in ("plane", "metric", "facts"):
            yield key, value


def _of_facts(label: str, protocol: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    return ((f"{label} {name}", one) for name, one in protocol.get("facts", {}).items())


def _splits(blocks: Sequence[Block]) -> list[str]:
    """A note for each test and scale whose rows had to be split, naming what differs."""
    notes = []
    for _, group in groupby(blocks, key=lambda block: block.rows[0].scene):
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


def _doubts(blocks: Sequence[Block]) -> list[str]:
    """A note for each test whose pictures are not the published ones of its name."""
    reasons = {row.test: row.unverified for block in blocks for row in block.rows if row.unverified}
    return [
        f"{test} is unverified: its pictures are not the published ones, so do not set these scores beside "
        f"published ones. {reason}."
        for test, reason in reasons.items()
    ]
