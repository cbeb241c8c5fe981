"""Stored scores → what people read: a table for the terminal, Markdown or LaTeX, or a flat list for scripts.

    labels.py    spec → short labels, settings only where runs differ in them
    rows.py      summaries → rows, in the order to show
    choice.py    of a store with many runs, which rows are shown
    blocks.py    rows → blocks that may be compared, cells, notes
    said.py      what is said of over-smoothing
    ranks.py     which value of a column is best, by a paired test over the pictures
    protocols.py the protocols behind the rows, and in what they differ
    terminal.py, markup.py   what they look like
    cost.py      what the models cost, a table of its own

Reads summaries, cost.json, and for the paired test the scores of the runs that stand in one block: nothing is
computed here but ranks and differences, and no torch is loaded.
"""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, TextIO, TypeAlias, overload

from srbench.store.runs import StoredRun
from srbench.tables.cost import cost_columns
from srbench.tables.rows import rows_of

if TYPE_CHECKING:
    from rich.console import RenderableType

    from srbench.tables.choice import Choice

TextFormat: TypeAlias = Literal["md", "csv", "json", "latex"]
Format: TypeAlias = Literal["rich", "md", "csv", "json", "latex"]

KEYS = (
    "run",
    "model",
    "loss",
    "dataset",
    "channels",
    "seed",
    "step",
    "test",
    "scale",
    "run_scale",
    "plane",
    "metric",
    "value",
    "ci_low",
    "ci_high",
    "n",
    "protocol",
    "verdict",
    "unverified",
)
"""Of a record. Scripts rely on these names."""


def records(
    runs: Sequence[StoredRun], *, metrics: Sequence[str] | None = None, tests: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """A flat record for each run × test × scale × plane × metric, with the keys of `KEYS`.

    `value`, `ci_low` and `ci_high` are None where no picture has a value (`n` is 0). `protocol` is the hash
    of what the score depends on: only records that share it may be compared. `verdict` stands with a plane's
    presence and is None in all other records. `unverified` says why the test is not the published set of its
    name, and is None where nothing is known against it. Each run counts with the last step it was scored at.

    Raises:
        UsageError: a metric or test that no run has.
    """
    return list(_records(runs, metrics, tests))


def _records(
    runs: Sequence[StoredRun], metrics: Sequence[str] | None, tests: Sequence[str] | None
) -> Iterator[dict[str, Any]]:
    for row in rows_of(runs, metrics, tests, everything=True):
        yield from (
            {
                "run": row.run.id,
                "model": row.labels.model,
                "loss": row.labels.loss,
                "dataset": row.labels.dataset,
                "channels": row.labels.channels,
                "seed": row.labels.seed,
                "step": row.step,
                "test": row.test,
                "scale": row.scale,
                "run_scale": row.run_scale,
                "plane": column.plane,
                "metric": column.metric,
                "value": score["mean"],
                "ci_low": score["ci_low"],
                "ci_high": score["ci_high"],
                "n": score["n"],
                "protocol": score["protocol"],
                "verdict": row.verdicts[column.plane]["verdict"]
                if column.metric == "presence" and column.plane in row.verdicts
                else None,
                "unverified": row.unverified,
            }
            for column, score in row.scores.items()
        )


def write_flat(
    runs: Sequence[StoredRun],
    format: Literal["csv", "json"],
    file: TextIO,
    *,
    metrics: Sequence[str] | None = None,
    tests: Sequence[str] | None = None,
    cost: bool = False,
) -> None:
    """Write `records` one by one, since there may be millions; with `cost`, beside each what it cost.

    Raises:
        UsageError: a metric or test that no run has.
    """
    costs = cost_columns(runs) if cost else {}
    flat = ({**one, **costs.get(one["run"], {})} for one in _records(runs, metrics, tests))
    if format == "csv":
        writer = csv.DictWriter(file, [*KEYS, *next(iter(costs.values()), {})], lineterminator="\n")
        writer.writeheader()
        writer.writerows(flat)
        return
    before = "["
    for one in flat:
        text = json.dumps(one, indent=1, ensure_ascii=False, allow_nan=False)
        file.write(f"{before}\n " + text.replace("\n", "\n "))
        before = ","
    file.write("[]\n" if before == "[" else "\n]\n")


@overload
def render(
    runs: Sequence[StoredRun],
    format: Literal["rich"],
    *,
    metrics: Sequence[str] | None = None,
    tests: Sequence[str] | None = None,
    ci: bool = False,
    cost: bool = False,
    width: int | None = None,
    choice: "Choice | None" = None,
) -> "RenderableType": ...


@overload
def render(
    runs: Sequence[StoredRun],
    format: TextFormat,
    *,
    metrics: Sequence[str] | None = None,
    tests: Sequence[str] | None = None,
    ci: bool = False,
    cost: bool = False,
    width: int | None = None,
    choice: "Choice | None" = None,
) -> str: ...


def render(
    runs: Sequence[StoredRun],
    format: Format,
    *,
    metrics: Sequence[str] | None = None,
    tests: Sequence[str] | None = None,
    ci: bool = False,
    cost: bool = False,
    width: int | None = None,
    choice: "Choice | None" = None,
) -> "RenderableType | str":
    """The runs' scores in one of five formats.

    Args:
        runs: from the store; those without a summary are left out.
        format: `rich` gives a renderable for `rich.console.Console.print`, the others text that ends with a
            newline. `csv` and `json` hold `records`, in full precision and always with intervals.
        metrics: names or labels to keep; None: all.
        tests: names to keep; None: all.
        ci: show the 95 % interval of each mean.
        cost: for `csv` and `json`, add what `cost_columns` has to each record; others have `render_cost`.
        width: for `rich`, columns to fit into; None: as wide as it gets.
        choice: which rows are shown of a store that has many; `csv` and `json` have all rows of `runs`.

    Raises:
        UsageError: a metric or test that no run has.
    """
    if format == "csv" or format == "json":
        text = io.StringIO()
        write_flat(runs, format, text, metrics=metrics, tests=tests, cost=cost)
        return text.getvalue()

    from srbench.tables.blocks import build_table

    table = build_table(runs, metrics, tests, choice)
    if format == "rich":
        from srbench.tables.terminal import terminal

        return terminal(table, ci, width)
    from srbench.tables.markup import latex, markdown

    return markdown(table, ci) if format == "md" else latex(table, ci)
