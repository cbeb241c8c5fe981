"""`srbench doctor`: what this machine can do."""

from typing import Annotated

import typer

from srbench.cli.options import Results

_STYLES = {"ok": "green", "lack": "yellow", "broken": "red"}


def doctor(
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="One flat list for scripts, a record a finding: area, state, found, cost, mend."
        ),
    ] = False,
    results: Results = None,
) -> None:
    """Say what this machine can do for srbench, what each lack costs, and how to mend it.

    Looks at versions, GPUs, precision, threads, memory, the store's disk and locks, caches, weights and
    plugins. Writes 16 MB into the store's folder to measure it, and removes them; downloads nothing. Exit
    code 1 where srbench cannot work at all.
    """
    from dataclasses import asdict

    from srbench.doctor import examine
    from srbench.store.layout import default_results

    found = list(examine(results or default_results()))
    if as_json:
        import json

        typer.echo(json.dumps([asdict(one) for one in found], indent=1, ensure_ascii=False))
    else:
        from rich.console import Console
        from rich.padding import Padding
        from rich.text import Text

        console = Console(highlight=False)
        for one in found:
            console.print(Text.assemble((f"{one.state:<8}", _STYLES[one.state]), f"{one.area}: {one.found}"))
            for text in filter(None, (one.cost, one.mend)):
                console.print(Padding(Text(text, style="dim"), (0, 0, 0, 8), expand=False))
    raise typer.Exit(1 if any(one.state == "broken" for one in found) else 0)
