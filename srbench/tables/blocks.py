"""Rows → blocks of rows that may be compared, with finished cells and the notes they refer to.

A block holds rows of one test content, scale and run scale whose scores were made under one protocol, column
by column. Nothing is compared across blocks: not an inner ×2 of a ×4 network with a ×2 network, not two
degradations, not two versions of a metric's weights.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from srbench.store.runs import StoredRun
from srbench.tables.apart import set_apart, splits
from srbench.tables.cells import write_cells, write_names
from srbench.tables.choice import Choice
from srbench.tables.forms import Block, Metric, Table
from srbench.tables.ranks import PictureScores
from srbench.tables.rows import Column, Row, RowKey, is_named, rows_of
from srbench.tables.said import said_of

_MARKS = "abcdefghijklmnoprstuvwxyz"  # no q: it has no raised form in Unicode


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
    constants, label_columns = write_names(blocks, note)
    pictures = PictureScores()
    for block in blocks:
        block.cells = [{} for _ in block.rows]
        for column in block.columns:
            write_cells(block, column, infos[column.metric], note, pictures)
        said = [said_of(row) for row in block.rows]
        block.verdicts = said if any(one.text for one in said) else []
    protocol = set_apart(blocks)
    notes = {mark: text for text, mark in marks.items()}
    untested = dict.fromkeys(
        f"{block.name}: best values are marked without a test, since {block.untested}."
        for block in blocks
        if block.untested
    )
    chosen = [f"{block.name}: {block.chosen}." for block in blocks if block.chosen]
    remarks = [*chosen, *splits(blocks), *untested, *_doubts(blocks)]
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


def _doubts(blocks: Sequence[Block]) -> list[str]:
    """A note for each test whose pictures are not the published ones of its name."""
    reasons = {row.test: row.unverified for block in blocks for row in block.rows if row.unverified}
    return [
        f"{test} is unverified: its pictures are not the published ones, so do not set these scores beside "
        f"published ones. {reason}."
        for test, reason in reasons.items()
    ]
