"""`srbench report`: everything about runs in one HTML file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srbench.cli.drawn import chosen_runs
from srbench.cli.options import Device, OfSuite, Results

if TYPE_CHECKING:
    from srbench.store.runs import StoredRun


def report(
    context: typer.Context,
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN…]",
            help="Run ids, the beginnings of them, or names; bicubic stands beside them. Default: all runs "
            "of the store.",
        ),
    ] = None,
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", metavar="FILE", help="The page to write. One that is there is replaced."
        ),
    ] = Path("report.html"),
    suite: OfSuite = None,
    test: Annotated[
        list[str] | None,
        typer.Option(
            "--test",
            metavar="DATASET",
            help="Where pictures of a test set lie, where they are not found by what the runs were told: "
            "set5:root=DIR. Repeat it for several.",
        ),
    ] = None,
    watch: Annotated[
        bool,
        typer.Option(
            "--watch",
            help="Write the page again as runs go on, until Ctrl-C. An open page loads itself again every "
            "ten seconds.",
        ),
    ] = False,
    device: Device = "auto",
    results: Results = None,
) -> None:
    """Write one page with everything about runs: table, curves, pictures, spectra, where all of it is from.

    The file needs nothing else and asks for nothing from a network; it stays under 15 MB, and says what it
    had no room for. Pictures are made by the newest checkpoints, unless --save-images kept them.

        srbench report -o report.html
    """
    from srbench.errors import UsageError
    from srbench.python.typed import typed_list
    from srbench.report.content import Looking
    from srbench.report.page import page_of
    from srbench.report.place import check_place, write_page
    from srbench.report.watch import watch as watch_runs
    from srbench.store.layout import default_results
    from srbench.train.stop import Stop

    if runs and suite:
        raise UsageError("A report is of named runs or of --suite, not of both.")
    check_place(output)

    def read() -> "tuple[list[StoredRun], bool]":
        return chosen_runs(runs, results, suite=suite, beside=True)

    looking = Looking(device, typed_list("dataset", test), quiet=context.obj["quiet"])
    if watch:
        watch_runs(
            results or default_results(),
            lambda: read()[0],
            output,
            looking,
            lambda line: typer.echo(line, err=True),
        )
        return
    found, damaged = read()
    if not found:
        raise UsageError("There is no run to report on. srbench run makes some; srbench runs lists them.")
    with Stop().listening() as stop:
        looking.check = stop.check
        size_bytes = write_page(output, page_of(found, looking, stop.check))
    typer.echo(f"The page is in {output} ({size_bytes / 1e6:.1f} MB).", err=True)
    raise typer.Exit(1 if damaged else 0)
