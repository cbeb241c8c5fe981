"""What the models of a table cost: a small table of its own, since it depends on no test set."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

from srbench.store.cost import Cost, read_cost
from srbench.store.runs import StoredRun
from srbench.tables.labels import labels_of
from srbench.tables.markup import escape_latex, escape_markdown, latex_table

if TYPE_CHECKING:
    from rich.console import RenderableType


def cost_columns(runs: Sequence[StoredRun]) -> dict[str, dict[str, Any]]:
    """Run id → `parameters`, `macs` and, for each device any run was measured on, `latency_s (DEVICE)` and
    `peak_memory_bytes (DEVICE)`; None where a run was not measured. In full precision, for scripts."""
    costs = {run.id: read_cost(run.paths) for run in runs}
    devices = _devices(costs.values())
    return {key: dict(_values(cost, devices)) for key, cost in costs.items()}


def render_cost(runs: Sequence[StoredRun], format: Literal["rich", "md", "latex"]) -> "RenderableType | str":
    """A row for each model, channels and scale that was measured; empty where none was."""
    costs = {run.id: read_cost(run.paths) for run in runs}
    devices = _devices(costs.values())
    heads = ["model", "channels", "scale", "parameters", "MACs at 1280×720"]
    for device in devices:
        heads += [f"ms on {device}", f"peak MB on {device}"]
    labels = labels_of([run for run in runs if run.summary is not None])
    rows: dict[tuple[str, ...], None] = {}
    for run in runs:
        cost = costs[run.id]
        if cost is not None and run.id in labels:
            names = (labels[run.id].model, labels[run.id].channels or "", f"×{run.record.spec['scale']}")
            rows[(*names, *_texts(cost, devices))] = None
    if not rows:
        return ""
    if format == "rich":
        return _rich(heads, list(rows))
    return _markdown(heads, list(rows)) if format == "md" else _latex(heads, list(rows))


def _devices(costs: Any) -> list[str]:
    return sorted({device for cost in costs if cost is not None for device in cost.devices})


def _values(cost: Cost | None, devices: Sequence[str]) -> Iterator[tuple[str, Any]]:
    yield "parameters", cost.parameters if cost else None
    yield "macs", cost.macs if cost else None
    for device in devices:
        one = cost.devices.get(device) if cost else None
        yield f"latency_s ({device})", one.latency_s if one else None
        yield f"peak_memory_bytes ({device})", one.peak_memory_bytes if one else None


def _texts(cost: Cost, devices: Sequence[str]) -> list[str]:
    texts = [f"{cost.parameters:,}", f"{cost.macs / 1e9:.1f} G"]
    for device in devices:
        one = cost.devices.get(device)
        values = (one.latency_s * 1e3, one.peak_memory_bytes / 1e6) if one else ()
        texts += [_short(value) for value in values] or ["–", "–"]
    return texts


def _short(value: float) -> str:
    """Three digits, and no fewer than the whole number has."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _rich(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> "RenderableType":
    from rich.box import SIMPLE_HEAD
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="")
    for number, head in enumerate(heads):
        table.add_column(Text(head), justify="left" if number < 3 else "right", vertical="bottom")
    for row in rows:
        table.add_row(*map(Text, row))
    return Group("", Text("cost", style="bold"), table)


def _markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rules = ["---" if number < 3 else "--:" for number in range(len(heads))]
    lines = [list(map(escape_markdown, heads)), rules, *(list(map(escape_markdown, row)) for row in rows)]
    return "\n**cost**\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _latex(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [" & ".join(map(escape_latex, row)) + r" \\" for row in (heads, *rows)]
    columns = f"lll{'r' * (len(heads) - 3)}"
    return "\n" + latex_table("Cost of the models.", "cost", columns, lines[:1], lines[1:])
