"""A table to paste into a paper or a page: GitHub Markdown, and LaTeX with booktabs.

In both: the best value bold where a paired test tells it from all others, the second underlined, values tied
for the best marked as such, and the protocol named.
"""

import re
from collections.abc import Callable, Sequence
from itertools import groupby

from srbench.tables.forms import TIE, Block, Cell, Table
from srbench.tables.rows import Column

_LATEX = {
    "\\": r"\textbackslash{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{sign: f"{{{sign}}}" for sign in "[*"},  # after a line's end, \\ takes these for its own
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "–": "--",
    "→": r"$\rightarrow$",
    "≈": r"$\approx$",
    "∞": r"$\infty$",
}


def markdown(table: Table, ci: bool) -> str:
    """A table a block, best values bold, second ones underlined, notes at the end."""
    constants = " · ".join(f"{name} {value}" for name, value in table.constants.items())
    protocol = "protocol: " + " · ".join(table.protocol) if table.protocol else ""
    parts = [escape_markdown(line) for line in (constants, protocol) if line]
    for block in table.blocks:
        titles = [_column_title(table, column) for column in block.columns]
        lines = [
            [*table.label_columns, *map(escape_markdown, titles), *(["verdict"] if block.verdicts else [])],
            ["---"] * len(table.label_columns) + ["--:"] * len(titles) + ["---"] * bool(block.verdicts),
            *_lines(block, ci, _md_cell),
        ]
        rows = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        parts.append(
            f"**{escape_markdown(block.name)}**{escape_markdown(block.title.removeprefix(block.name))}\n\n{rows}"
        )
    parts += [f"<sup>{mark}</sup> {escape_markdown(note)}" for mark, note in table.notes.items()]
    legend = _legend(table.blocks)
    return (
        "\n\n".join(
            [*parts, *map(escape_markdown, table.remarks), *([escape_markdown(legend)] if legend else [])]
        )
        + "\n"
    )


def latex(table: Table, ci: bool) -> str:
    r"""A `table` environment a block, for `\usepackage{booktabs}`: best bold, second underlined, notes below.

    The caption names test, scale, what is constant over the rows, and the whole protocol.
    """
    slugs = [
        re.sub(r"[^a-z0-9]+", "-", one.name.lower().replace("×", "x")).strip("-") for one in table.blocks
    ]
    labels = [
        slug + (f"-{slugs[:place].count(slug) + 1}" if slug in slugs[:place] else "")
        for place, slug in enumerate(slugs)
    ]
    parts = zip(table.blocks, labels, strict=True)
    return "\n".join(_latex_block(table, block, label, ci) for block, label in parts)


def _latex_block(table: Table, block: Block, label: str, ci: bool) -> str:
    first, second = list(table.label_columns), []
    heads, rules = [" & " * (len(first) - 1)], []
    at = len(first) + 1
    for metric, columns in groupby(block.columns, key=lambda column: column.metric):
        planes = [escape_latex(column.plane) for column in columns]
        heads.append(f"\\multicolumn{{{len(planes)}}}{{c}}{{{escape_latex(table.metrics[metric].title)}}}")
        rules.append(f"\\cmidrule(lr){{{at}-{at + len(planes) - 1}}}")
        second += planes
        at += len(planes)
    numbers = len(second)
    if block.verdicts:
        heads.append("")
        second.append("verdict")
    body = [" & ".join(line) + r" \\" for line in _lines(block, ci, _tex_cell)]
    facts = {key: value for key, value in block.apart.items() if key in block.facts}
    protocol = ", ".join(f"{key} {value}" for key, value in {**block.conditions, **facts}.items())
    constants = [
        f"{name} {value}"
        for name, value in table.constants.items()
        if any(row.label(name) for row in block.rows)
    ]
    caption = "; ".join([f"{block.name}, {block.pictures}", *constants, f"protocol: {protocol}"])
    sentences = [caption, *filter(None, [_legend([block])])]
    if block.chosen:
        sentences.append(block.chosen[:1].upper() + block.chosen[1:])
    if block.untested:
        sentences.append(f"Best values are not tested, since {block.untested}")
    if ci:
        sentences.append("In brackets: 95 % bootstrap interval of the mean over pictures")
    notes = [f"$^{{{mark}}}$ {escape_latex(table.notes[mark])}" for mark in block.marks]
    return latex_table(
        f"{'. '.join(sentences)}.",
        label,
        f"{'l' * len(first)}{'r' * numbers}{'l' * bool(block.verdicts)}",
        [" & ".join(heads) + r" \\", "".join(rules), " & ".join([*first, *second]) + r" \\"],
        body,
        notes,
    )


def latex_table(
    caption: str,
    label: str,
    columns: str,
    head: Sequence[str],
    body: Sequence[str],
    notes: Sequence[str] = (),
) -> str:
    """A `table` with its `tabular`.

    Args:
        caption: plain text.
        label: what follows `tab:`.
        columns: a letter a column, as `tabular` takes it.
        head, body: lines of LaTeX.
        notes: LaTeX, to stand below.
    """
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            f"\\caption{{{escape_latex(caption)}}}",
            f"\\label{{tab:{label}}}",
            f"\\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            *head,
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            *([r"\par\smallskip\footnotesize " + r" \\ ".join(notes)] if notes else []),
            r"\end{table}",
            "",
        ]
    )


def _column_title(table: Table, column: Column) -> str:
    """`PSNR r dB ↑`."""
    metric = table.metrics[column.metric]
    return " ".join(filter(None, (metric.name, column.plane, metric.unit, metric.arrow, metric.settings)))


def _lines(block: Block, ci: bool, text: Callable[[Cell, bool], str]) -> list[list[str]]:
    """Every row of a block as texts."""
    verdicts = [[Cell(one.text)] for one in block.verdicts] or [[] for _ in block.rows]
    parts = zip(block.names, block.cells, verdicts, strict=True)
    cells = [[*names, *values.values(), *said] for names, values, said in parts]
    return [[text(cell, ci) for cell in row] for row in cells]


def _legend(blocks: Sequence[Block]) -> str:
    """What the marking of values means, as far as it is used."""
    cells = [cell for block in blocks for row in block.cells for cell in row.values()]
    ties = (
        f"{TIE}: tied for the best, not told apart from it by a paired test over pictures (bootstrap, 95 %)"
    )
    parts = {
        "Bold: best": any(cell.is_best for cell in cells),
        "underlined: second": any(cell.rank == 2 for cell in cells),
        ties: any(cell.tied for cell in cells),
    }
    return "; ".join(text for text, used in parts.items() if used)


def _md_cell(cell: Cell, ci: bool) -> str:
    text = escape_markdown(cell.text)
    if cell.is_best:
        text = f"**{text}**"
    elif cell.rank == 2:
        text = f"<ins>{text}</ins>"
    text += f"<sup>{TIE}</sup>" if cell.tied else ""
    text += f" {cell.interval}" if ci and cell.interval else ""
    return text + (f"<sup>{cell.mark}</sup>" if cell.mark else "")


def _tex_cell(cell: Cell, ci: bool) -> str:
    text = escape_latex(cell.text)
    if cell.is_best:
        text = f"\\textbf{{{text}}}"
    elif cell.rank == 2:
        text = f"\\underline{{{text}}}"
    text += f"$^{{{_LATEX[TIE].strip('$')}}}$" if cell.tied else ""
    text += f" {{\\scriptsize {cell.interval}}}" if ci and cell.interval else ""
    return text + (f"$^{{{cell.mark}}}$" if cell.mark else "")


def escape_markdown(text: str) -> str:
    """`text` with the signs that Markdown would take for its own escaped."""
    return re.sub(r"([|*_`<\\]|\](?=\())", r"\\\1", text)


def escape_latex(text: str) -> str:
    """`text` with the signs that LaTeX would take for its own escaped."""
    return "".join(_LATEX.get(sign, sign) for sign in text)
