"""A table for the terminal: block under block, metrics side by side as far as the width allows."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.measure import Measurement
from rich.table import Table as RichTable
from rich.text import Text

from srbench.tables.forms import TIE, Block, Cell, Metric, Table
from srbench.tables.rows import Column

_RAISED = str.maketrans("abcdefghijklmnoprstuvwxyz", "ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ")

_VERDICT = "verdict"
"""Stands for the column of verdicts among the groups of metrics."""

_RULER = Console(width=10_000)
"""Measures the width a part would like to have."""


class _Layout(NamedTuple):
    """What gives way, step by step, where the width is small: gains, then labels in one line."""

    ci: bool
    gains: bool
    label_width: int


_STEPS = ((True, 26), (False, 26), (False, 15))


def terminal(table: Table, ci: bool, width: int | None) -> RenderableType:
    """Rich renderable of `table`.

    Args:
        table: what to show.
        ci: intervals under the means.
        width: of the terminal in columns; None: as wide as it gets.
    """
    groups = [(block, group) for block in table.blocks for group in _groups(block)]
    layouts = [_Layout(ci, *step) for step in _STEPS]
    fitting = (
        one for one in layouts if all(_fits(table, block, [group], one, width) for block, group in groups)
    )
    layout = next(fitting, layouts[-1])
    constants = " · ".join(f"{name} {value}" for name, value in table.constants.items())
    protocol = "protocol: " + " · ".join(table.protocol) if table.protocol else ""
    shown: list[RenderableType] = [Text(line, style="dim") for line in (constants, protocol) if line]
    for block in table.blocks:
        shown += ["", Text(block.title, style="bold")]
        for number, part in enumerate(_parts(table, block, layout, width)):
            shown += [""] * (number > 0) + [part]
    notes = [*(f"{_raised(mark)} {note}" for mark, note in table.notes.items()), *table.remarks]
    legend = _legend(table, layout)
    return Group(*shown, "", *map(Text, notes), *([Text(legend, style="dim")] if legend else []))


def _raised(mark: str) -> str:
    """The mark of a note as it stands at a cell: `ᵃ`."""
    return mark.translate(_RAISED)


def _groups(block: Block) -> list[list[Column]]:
    """The columns of each metric, and that of the verdicts."""
    labels = dict.fromkeys(column.metric for column in block.columns)
    groups = [[column for column in block.columns if column.metric == label] for label in labels]
    return [*groups, *([[Column(_VERDICT, "")]] if block.verdicts else [])]


def _parts(table: Table, block: Block, layout: _Layout, width: int | None) -> list[RichTable]:
    """A block as few tables as fit the width: metrics, and if need be planes, stand below each other."""
    waiting = _groups(block)
    parts: list[list[list[Column]]] = []
    while waiting:
        group = waiting.pop(0)
        if parts and _fits(table, block, [*parts[-1], group], layout, width):
            parts[-1].append(group)
        elif len(group) == 1 or _fits(table, block, [group], layout, width):
            parts.append([group])
        else:
            middle = (len(group) + 1) // 2
            waiting[:0] = [group[:middle], group[middle:]]
    return [_part(table, block, groups, layout) for groups in parts]


def _fits(
    table: Table, block: Block, groups: Sequence[list[Column]], layout: _Layout, width: int | None
) -> bool:
    if width is None:
        return True
    part = _part(table, block, groups, layout, _longest(block))
    return Measurement.get(_RULER, _RULER.options, part).maximum <= width


def _longest(block: Block) -> set[int]:
    """Rows that are as wide as all are: any of metrics, of other columns that with the longest text."""
    columns = [[cell.text + cell.mark for cell in cells] for cells in zip(*block.names, strict=True)]
    columns += [[one.text for one in block.verdicts]] if block.verdicts else []
    return {max(range(len(column)), key=lambda at: cell_len(column[at])) for column in columns}


def _part(
    table: Table,
    block: Block,
    groups: Sequence[list[Column]],
    layout: _Layout,
    rows: Collection[int] | None = None,
) -> RichTable:
    metrics = [
        _Verdicts(block)
        if group[0].metric == _VERDICT
        else _Group(table.metrics[group[0].metric], group, block, layout)
        for group in groups
    ]
    height = max(len(metric.header) for metric in metrics)
    part = RichTable(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="")
    for name in table.label_columns:
        part.add_column(Text("\n" * (height - 1) + name), overflow="fold", max_width=layout.label_width)
    for metric in metrics:
        blank = [""] * (height - len(metric.header))
        header = Text("\n".join([*blank, *metric.header]))
        part.add_column(header, no_wrap=metric.width is None, max_width=metric.width)
    for index, names in enumerate(block.names):
        if rows is not None and index not in rows:
            continue
        labels = [Text(cell.text + _raised(cell.mark)) for cell in names]
        part.add_row(*labels, *(metric.row(index) for metric in metrics))
    return part


class _Verdicts:
    """The column of verdicts."""

    header: Sequence[str] = (_VERDICT,)
    width: int | None = 34

    def __init__(self, block: Block) -> None:
        self._said = block.verdicts

    def row(self, index: int) -> Text:
        """The verdicts on one row."""
        return Text(*self._said[index])


class _Group:
    """One metric in one rich column: its planes side by side, so that its name can stand above them all."""

    width: int | None = None

    def __init__(self, metric: Metric, columns: list[Column], block: Block, layout: _Layout) -> None:
        planes = [_Plane(column, block, layout) for column in columns]
        top = " ".join(filter(None, (metric.name, metric.unit, metric.arrow)))
        lines = [top, *([metric.settings] if metric.settings else [])]
        self._planes = planes
        inner = sum(plane.width for plane in planes) + 2 * (len(planes) - 1)
        self._indent = max(inner, *map(len, lines)) - inner
        self.header = [*lines, " " * self._indent + "  ".join(plane.header for plane in planes)]

    def row(self, index: int) -> Text:
        """The cells of one row, intervals in a second line."""
        lines = [
            Text("  ").join(parts)
            for parts in zip(*(plane.cells[index] for plane in self._planes), strict=True)
        ]
        return Text("\n").join([Text(" " * self._indent) + line for line in lines])


class _Plane:
    """One column of numbers, all of one width, aligned at the decimal point."""

    def __init__(self, column: Column, block: Block, layout: _Layout) -> None:
        cells = [row[column] for row in block.cells]
        numbers = [cell for cell in cells if cell.interval]
        self._digits = max((len(cell.text) for cell in numbers), default=0)
        self._tie = max((len(TIE) for cell in numbers if cell.tied), default=0)
        self._gain = max((len(cell.gain) + 1 for cell in numbers if cell.gain and layout.gains), default=0)
        self._mark = max((len(_raised(cell.mark)) for cell in numbers), default=0)
        tail = self._tie + self._gain + self._mark
        words = [column.plane + " " * tail]
        words += [cell.text + _raised(cell.mark) for cell in cells if not cell.interval]
        words += [cell.interval for cell in numbers if layout.ci]
        self.width = max(self._digits + tail, *map(len, words))
        self.header = (column.plane + " " * tail).rjust(self.width)
        self.cells = [self._lines(cell, layout) for cell in cells]

    def _lines(self, cell: Cell, layout: _Layout) -> list[Text]:
        if not cell.interval:
            word = (cell.text + _raised(cell.mark)).rjust(self.width)
            return [Text(word), *([Text(" " * self.width)] if layout.ci else [])]
        line = Text(" " * (self.width - len(cell.text) - self._tie - self._gain - self._mark))
        line.append(cell.text, style="bold" if cell.is_best else "")
        line.append((TIE if cell.tied else "").ljust(self._tie))
        line.append((cell.gain if layout.gains else "").rjust(self._gain), style="dim")
        line.append(_raised(cell.mark).ljust(self._mark))
        return [line, *([Text(cell.interval.rjust(self.width), style="dim")] if layout.ci else [])]


def _legend(table: Table, layout: _Layout) -> str:
    """What the signs in this table mean; nothing for those it does not use."""
    cells = [cell for block in table.blocks for row in block.cells for cell in row.values()]
    signs = {
        "bold: best of its column": any(cell.is_best for cell in cells),
        f"{TIE}: tied for the best, not told apart by pictures": any(cell.tied for cell in cells),
        "+: gain over bicubic in dB": layout.gains and any(cell.gain for cell in cells),
        "[ ]: 95 % interval of the mean": layout.ci and any(cell.interval for cell in cells),
        "·: the run has no such plane": any(cell.text == "·" for cell in cells),
    }
    return " · ".join(text for text, used in signs.items() if used)
