"""What a table is made of: blocks of rows, their columns, and the cells of both."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from srbench.tables.rows import Column, Row
from srbench.tables.said import Said

_ACRONYMS = ("psnr", "ssim", "lpips")
_OF_DETAIL = ("detail", "presence", "invented", "slope", "contrast", "shift", "content")


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


def digits_of(metric: Metric, means: Iterable[float]) -> int:
    """Decimals to print: 2 of decibels and large numbers, 3 of detail, whose intervals are wide, else 4."""
    if metric.unit == "dB" or max(map(abs, means), default=0) >= 10:
        return 2
    return 3 if metric.label in _OF_DETAIL else 4
