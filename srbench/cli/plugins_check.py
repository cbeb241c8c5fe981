"""`srbench plugins check`: whether components keep the promises of their kind."""

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from srbench.components import Kind
from srbench.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from srbench.components import Component
    from srbench.testing.conformance import Finding

_log = logging.getLogger(__name__)


class CheckCommand(TyperCommand):
    """The command whose help lists what is checked, as the checks' own docstrings say it."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Help, and below it the promises of each kind."""
        from rich.console import Console
        from rich.table import Table

        from srbench.components import KINDS
        from srbench.testing.conformance import promises_of

        super().format_help(ctx, formatter)
        for kind in KINDS:
            table = Table(box=None, pad_edge=False, show_header=False)
            for name, promise in promises_of(kind).items():
                table.add_row(f"  {name}", promise)
            Console(highlight=False).print(f"What is promised of a {kind}:", table, "", sep="\n")


def check(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME",
            help="What to check, as typed elsewhere, with settings or a distribution: lapsrn:features=4, "
            "my-losses/l1. Without any, all that plugins other than srbench's own have.",
        ),
    ] = None,
    kind: Annotated[
        Kind | None,
        typer.Option(
            "--kind",
            metavar="KIND",
            help="model, loss, trainer, dataset, metric or degradation: that alone, where a name stands for "
            "several things.",
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="In place of names: all that there is, srbench's own too.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Reports for scripts, as docs/plugins/testing.md describes them.")
    ] = False,
) -> None:
    """Check that components keep the promises of their kind; exit code 1 where one does not.

    A promise that a component never gave is not demanded of it. What is found is kept, and srbench plugins
    shows it until the component or its version is another one.

        srbench plugins check lapsrn:features=4 charbonnier
    """
    if everything and names:
        raise UsageError("--all is for everything there is. Leave it out, or the names.")
    from rich.console import Console

    from srbench.badges import write_report
    from srbench.progress import bar
    from srbench.testing.conformance import promises_of
    from srbench.testing.report import passed, report, verdict

    chosen = list(_named(names, kind) if names else _installed(kind, everything=everything))
    if not chosen:
        raise UsageError(
            "Nothing was checked, since nothing can be without a setting. Name one, as was said."
        )
    reports, failed = [], 0
    console = Console(highlight=False)
    total = sum(len(promises_of(component.kind)) for component, _ in chosen)
    with bar("plugins check", total, quiet=context.obj["quiet"]) as shown:
        for component, typed in chosen:
            findings = []
            for finding in _findings(component, typed):
                findings.append(finding)
                shown.advance(f"{component.kind} {typed}: {finding.check}")
            made = report(component, typed, findings)
            reports.append(made)
            failed += not passed(findings)
            try:
                write_report(component, made)
            except OSError as error:
                _log.warning("The report on %s cannot be kept for srbench plugins (%s).", typed, error)
            if not as_json:
                _show(component, typed, findings, console)
                console.print(verdict(findings), "", sep="\n")
    if as_json:
        import json

        typer.echo(json.dumps(reports, indent=1, ensure_ascii=False))
    raise typer.Exit(1 if failed else 0)


def _named(names: list[str], kind: Kind | None) -> Iterator[tuple["Component", str]]:
    """The components of these names, of all kinds that have them unless one is given."""
    from srbench.components import KINDS
    from srbench.errors import did_you_mean
    from srbench.grammar import parse_term
    from srbench.registry import registry

    known = {one: registry().names(one) for one in KINDS}
    for typed in names:
        name = parse_term(typed).name
        bare = name.rpartition("/")[2]
        kinds = [kind] if kind else [one for one in KINDS if registry().has(one, name)]
        if not kinds:
            near = did_you_mean(bare, {one for found in known.values() for one in found})
            raise UsageError(f"Nothing is named {name!r}.{near} srbench plugins lists all.")
        for one in kinds:
            registry().check_typed(one, name)
            yield registry().find(one, name), typed


def _installed(kind: Kind | None, *, everything: bool) -> Iterator[tuple["Component", str]]:
    """What plugins have; what cannot be built with its defaults is named and left out."""
    from srbench.components import KINDS
    from srbench.registry import registry
    from srbench.testing.sweep import left_out

    builtin = registry().plugins.plugins[0].dist
    found = [
        one
        for each in ([kind] if kind else KINDS)
        for one in registry().all(each)
        if everything or one.plugin.dist != builtin
    ]
    if not found:
        raise UsageError(
            "No plugin but srbench's own has anything to check. Name what to check, as in srbench plugins "
            "check lapsrn:features=4, or take --all."
        )
    for component in found:
        typed = registry().typing(component)
        reason = left_out(component, typed)
        if reason is None:
            yield component, typed
        else:
            _log.warning("The %s %s is not checked: %s", component.kind, typed, reason)


def _findings(component: "Component", typed: str) -> Iterator["Finding"]:
    from srbench.grammar import parse_term
    from srbench.testing.builders import no_network
    from srbench.testing.conformance import Finding, Subject, examine

    try:
        with no_network():
            settings: dict[str, Any] = component.settings(parse_term(typed).parameters)
    except UsageError as error:
        yield Finding("settings", "failed", str(error))
        return
    yield from examine(Subject(component, settings, typed))


def _show(component: "Component", typed: str, findings: list["Finding"], console: "Console") -> None:
    from rich.table import Table
    from rich.text import Text

    plugin = component.plugin
    styles = {"passed": "green", "failed": "red", "skipped": "dim"}
    console.print(Text(f"{component.kind} {typed} of {plugin.dist} {plugin.version}", style="bold"))
    table = Table(box=None, pad_edge=False, show_header=False)
    for one in findings:
        table.add_row(f"  {one.check}", Text(one.state, style=styles[one.state]), Text(one.text))
    console.print(table)
