"""`srbench plugins`: what is installed, what a component takes, and a package for a new one."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srbench.cli.plugins_check import CheckCommand, check
from srbench.errors import SrbenchError, UsageError, did_you_mean

if TYPE_CHECKING:
    from srbench.catalogue import Entry

app = typer.Typer(invoke_without_command=True)

_KIND = "model, loss, trainer, dataset, metric, degradation, executor or command"
_Kind = Annotated[str | None, typer.Option("--kind", metavar="KIND", help=f"One of {_KIND}: that alone.")]


@app.callback()
def plugins(context: typer.Context) -> None:
    """What plugins give: list it, show one component, or begin a plugin of your own.

    Without a command it is listed.
    """
    if context.invoked_subcommand is None:
        list_plugins()


app.command("check", cls=CheckCommand)(check)


@app.command("list")
def list_plugins(
    kind: _Kind = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="One record an entry for scripts, with all that it was registered with."),
    ] = False,
    as_freeze: Annotated[
        bool,
        typer.Option(
            "--freeze",
            help="Distributions that have plugins, and srbench itself, as pip freeze would write them.",
        ),
    ] = False,
) -> None:
    """List every model, loss, dataset, metric and degradation: kind, name, distribution, version, state.

    A plugin that did not load, or a name it could not register, is a row with the cause. Below the table
    stands what a plugin wants known before a model of it is used, such as the licence of its code.
    """
    from srbench.catalogue import entries, freeze, record

    if as_freeze and (as_json or kind is not None):
        raise UsageError("--freeze is about distributions, and goes neither with --json nor with --kind.")
    if as_freeze:
        typer.echo("\n".join(freeze()))
        return
    everything = entries()
    _check_kind(kind)
    found = [entry for entry in everything if kind in (None, entry.row.kind)]
    if as_json:
        import json

        typer.echo(json.dumps([record(entry) for entry in found], indent=1, ensure_ascii=False))
        return
    from rich.console import Console

    from srbench.catalogue.show import show_list

    show_list(found, Console())
    _say_terms(found)
    broken = [entry for entry in everything if not entry.is_sound]
    if broken:
        where = "" if all(entry in found for entry in broken) else " srbench plugins list shows it all."
        typer.echo(f"What is not ok costs only its own names; everything else works.{where}", err=True)


@app.command()
def show(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="As typed elsewhere: lapsrn, or dist/name for one of two.")
    ],
    kind: _Kind = None,
    as_json: Annotated[bool, typer.Option("--json", help="One record an entry, for scripts.")] = False,
) -> None:
    """Show what a component takes and is: parameters, documentation, what it declared, where it comes from.

    A name that stands for several things shows them all. Exit code 1 where one cannot be used.

        srbench plugins show charbonnier
    """
    from srbench.catalogue.detail import detail, entries_of

    pages = [detail(entry) for entry in entries_of(name, _check_kind(kind))]
    if as_json:
        import json

        typer.echo(json.dumps(pages, indent=1, ensure_ascii=False))
    else:
        from rich.console import Console

        from srbench.catalogue.show import show_page

        for number, page in enumerate(pages):
            typer.echo("\n" if number else "", nl=False)
            show_page(page, Console())
    raise typer.Exit(0 if all(page["usable"] for page in pages) else 1)


@app.command()
def new(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="model, loss, dataset, metric or degradation.")],
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="What is to be typed for it: small letters, digits, - and _."),
    ],
    parent: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="DIR", help="Where the package's folder is made."),
    ] = Path(),
) -> None:
    """Make a package with a working example: a plugin to install, test and change into your own.

    Nothing is downloaded, and no folder is overwritten. The package passes its tests, ruff, mypy and
    srbench plugins check from the start.

        srbench plugins new model mynet
    """
    import shlex

    from srbench.scaffold import TEMPLATES, write_package

    if kind not in TEMPLATES:
        raise UsageError(
            f"There is no package for a {kind!r} to begin with.{did_you_mean(kind, TEMPLATES)} There is one "
            f"for a {_or(TEMPLATES)}."
        )
    folder, names = write_package(kind, name, parent)
    typer.echo(folder)
    typer.echo(
        f"The {kind} {names.component} is a package now. Next:\n\n"
        f"  cd {shlex.quote(str(folder))}\n"
        '  pip install -e ".[dev]"\n'
        "  pytest\n"
        f"  srbench plugins check {names.component}\n\n"
        "README.md says how to use, change and publish it.",
        err=True,
    )


def _check_kind(kind: str | None) -> str | None:
    from srbench.components import REGISTERED

    if kind is not None and kind not in REGISTERED:
        hint = did_you_mean(kind, REGISTERED)
        raise UsageError(f"There is no kind {kind!r}.{hint} A kind is {_or(REGISTERED)}.")
    return kind


def _or(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"


def _say_terms(found: "Iterable[Entry]") -> None:
    """What models want known before use. One that cannot say is told of by the reason."""
    from srbench.components import Model
    from srbench.registry import registry

    for entry in found:
        if isinstance(entry.component, Model):
            try:
                told = entry.component.told({})
            except SrbenchError as error:
                told = str(error)
            if told:
                typer.echo(f"{registry().typing(entry.component)}: {told}")
