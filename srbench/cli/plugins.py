"""`srbench plugins`: what is installed, and what is broken and why."""

import typer

from srbench.cli.plugins_check import CheckCommand, check

app = typer.Typer(invoke_without_command=True)
app.command("check", cls=CheckCommand)(check)


@app.callback()
def plugins(context: typer.Context) -> None:
    """List every model, loss, dataset, metric and degradation: kind, name, distribution, version, state.

    A plugin that did not load, or a name it could not register, is a row with the cause. Below the table
    stands what a plugin wants known before a model of it is used, such as the licence of its code.
    """
    if context.invoked_subcommand is not None:
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from srbench.errors import UsageError
    from srbench.registry import registry

    table = Table("kind", "name", "distribution", "version", "state", box=None, pad_edge=False)
    for row in registry().rows():
        style = None if row.state == "ok" else "red"
        table.add_row(row.kind, row.name, row.dist, row.version, escape(row.state), style=style)
    Console().print(table)
    for model in registry().all("model"):
        try:
            told = model.told({})
        except UsageError as error:
            told = str(error)
        if told:
            typer.echo(f"{registry().spelling(model)}: {told}")
    if any(row.state != "ok" for row in registry().rows()):
        typer.echo("What is not ok costs only its own names; everything else works.", err=True)
