"""The command line: global options, exit codes, and the one place that catches `SrbenchError`."""

import logging
import sys
from importlib import import_module
from typing import Annotated, Any

import typer
from rich.console import Console

from srbench import __version__
from srbench.errors import SrbenchError

app = typer.Typer(
    name="srbench",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Train, resume and score super-resolution models under one protocol.\n\n"
    "srbench run --model lapsrn --loss charbonnier trains, evaluates and stores; the same line again "
    "resumes or skips what is done. srbench table compares everything in results/.",
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"srbench {__version__}")
        raise typer.Exit


@app.callback()
def _global(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", help="No progress bars; warnings and errors only.")
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option(
            "-v", "--verbose", help="Say more: what is found, tried, skipped, and what a run is busy with."
        ),
    ] = False,
) -> None:
    context.obj = {"quiet": quiet}
    level = logging.WARNING if quiet else logging.DEBUG if verbose else logging.INFO
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    logger = logging.getLogger("srbench")
    logger.handlers[:] = [handler]
    logger.setLevel(level)
    logger.propagate = False


def _add(name: str, module: str, attribute: str) -> None:
    command: Any = getattr(import_module(f"srbench.cli.{module}"), attribute)
    if isinstance(command, typer.Typer):
        app.add_typer(command, name=name)
    else:
        app.command(name)(command)


_add("run", "run", "run")
_add("suite", "suite", "app")
_add("table", "table", "table")
_add("runs", "runs", "app")
_add("checkpoint", "checkpoint", "app")
_add("prove-resume", "prove_resume", "prove_resume")
_add("eval", "eval", "evaluate_run")
_add("data", "data", "app")
_add("compare", "compare", "compare")
_add("plot", "plot", "plot")
_add("verdict", "verdict", "verdict")
_add("explain", "explain", "explain")
_add("probe", "probe", "probe")
_add("plugins", "plugins", "plugins")


def main() -> None:
    """Run the command line; a user's mistake is one paragraph on stderr and an exit code."""
    try:
        app()
    except SrbenchError as error:
        Console(stderr=True, soft_wrap=True).print(str(error), markup=False, highlight=False)
        sys.exit(error.exit_code)
