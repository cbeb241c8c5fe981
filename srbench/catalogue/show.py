"""What is installed as a table, and a component as a page."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from srbench.badges import badge
from srbench.catalogue import Entry

COLUMNS: dict[str, Callable[[Entry], str]] = {
    "kind": lambda entry: entry.row.kind,
    "name": lambda entry: entry.row.name,
    "distribution": lambda entry: entry.row.dist,
    "version": lambda entry: entry.row.version,
    "state": lambda entry: entry.row.state,
    "checked": lambda entry: badge(entry.component).removeprefix("checked ") if entry.component else "",
}
"""Heading → cell of the table that `srbench plugins list` shows."""


def show_list(found: Iterable[Entry], console: Console) -> None:
    """One line an entry, what is not ok in red."""
    table = Table(*COLUMNS, box=None, pad_edge=False)
    for entry in found:
        cells = [_plain(cell(entry)) for cell in COLUMNS.values()]
        table.add_row(*cells, style=None if entry.is_sound else "red")
    console.print(table)


def show_page(page: Mapping[str, Any], console: Console) -> None:
    """What `srbench.catalogue.detail.detail` found of one entry."""

    def say(text: str = "") -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    say(f"{page['kind']} {page['name']}")
    if page.get("usage"):
        say(f"  {page['usage']}")
    if page["error"]:
        say(f"  {page['error']}")
    if page.get("doc"):
        say()
        say(page["doc"])
    if page.get("parameters"):
        say()
        console.print(_parameters(page["parameters"]))
    say()
    facts = dict(_facts(page))
    width = max(map(len, facts)) + 2
    for label, text in facts.items():
        say(f"{label:{width}}{text}")


def _parameters(parameters: Iterable[Mapping[str, Any]]) -> Table:
    table = Table("parameter", "type", "default", "values", box=None, pad_edge=False)
    for one in parameters:
        default = "needed" if one["required"] else one["default"]
        table.add_row(*map(_plain, (one["name"], one["type"], default, ", ".join(one["values"]))))
    return table


def _facts(page: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Label → text of all that was declared, and where it comes from."""
    for name, value in page["registered"].items():
        label = name.replace("_", " ")
        if name == "bounds":
            low, high = value
            yield label, f"{'−∞' if low is None else low} to {'∞' if high is None else high}"
        elif isinstance(value, Mapping):
            for key, one in value.items():
                yield f"{'recipe' if name == 'recipes' else label} {key}", _words(one)
        elif value not in (None, "", []):
            yield label, _words(value)
    yield "state", page["state"]
    yield "distribution", f"{page['distribution']} {page['version']}"
    if page["entry_point"]:
        yield "entry point", f"{page['plugin']} = {page['entry_point']}"
    if page["target"]:
        yield "target", page["target"]
    if page["source"]:
        yield "source", page["source"] + (f":{page['line']}" if page.get("line") else "")


def _words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={_words(one)}" for key, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_words(one) for one in value)
    return str(value)


def _plain(text: str) -> Any:
    from rich.text import Text

    return Text(text)  # not markup: a cause may hold square brackets
