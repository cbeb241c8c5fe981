"""The command line: global options, exit codes, and the one place that catches `SrbenchError`."""

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from srbench import __version__, selection
from srbench.cli.lazy import LazyGroup
from srbench.errors import PluginError, SrbenchError

app = typer.Typer(
    name="srbench",
    cls=LazyGroup,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Train, resume and score super-resolution models under one protocol.\n\n"
    "srbench run --model lapsrn --loss charbonnier trains, evaluates and stores; the same line again "
    "resumes or skips what is done. srbench table compares everything in results/.",
)

_PLUGINS = "Plugins"


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"srbench {__version__}")
        raise typer.Exit


# Eager, as --help is: it shows the commands of the plugins that stand before it.
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
    no_plugin: Annotated[
        list[str] | None,
        typer.Option(
            "--no-plugin",
            metavar="NAME,…",
            rich_help_panel=_PLUGINS,
            is_eager=True,
            callback=lambda names: selection.add_without(names or ()),
            help="Leave a plugin out: its name, its distribution, or both (my-losses/edges); a comma list or "
            "repeated for several. Joins SRBENCH_NO_PLUGIN. SRBENCH_PLUGINS lists those to load alone.",
        ),
    ] = None,
    plugin: Annotated[
        list[Path] | None,
        typer.Option(
            "--plugin",
            metavar="FILE.py",
            rich_help_panel=_PLUGINS,
            is_eager=True,
            callback=lambda files: selection.add_files(files or ()),
            help="Load a file of your own as a plugin, without packaging; repeat it for several. Joins "
            "SRBENCH_PLUGIN_FILES.",
        ),
    ] = None,
    plugins_dir: Annotated[
        list[Path] | None,
        typer.Option(
            "--plugins-dir",
            metavar="DIR",
            rich_help_panel=_PLUGINS,
            is_eager=True,
            callback=lambda folders: selection.add_folders(folders or ()),
            help="Load every NAME.py and every package in a folder, but for names that begin with _ or a "
            "dot; repeat it for several. Joins SRBENCH_PLUGINS_DIR.",
        ),
    ] = None,
    strict_plugins: Annotated[
        bool,
        typer.Option(
            "--strict-plugins",
            rich_help_panel=_PLUGINS,
            help="Do nothing, with exit code 1, where anything is wrong with any plugin: one that does not "
            "load, a refused name, a clash. All of it is listed. As SRBENCH_STRICT_PLUGINS=1.",
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
    if strict_plugins:
        selection.be_strict()
    if selection.Selection.from_environment().strict:
        _check_plugins()


def _check_plugins() -> None:
    from srbench.registry import registry

    wrong = [row for row in registry().rows() if row.state != "ok"]
    if wrong:
        lines = "".join(f"\n  {row.kind} {row.name} of {row.dist}: {row.state}" for row in wrong)
        raise PluginError(
            f"Nothing was done: --strict-plugins lets nothing be wrong with plugins.{lines}\nMend or "
            "uninstall them, or leave them out by --no-plugin."
        )


def main() -> None:
    """Run the command line; a user's mistake is one paragraph on stderr and an exit code."""
    try:
        app()
    except SrbenchError as error:
        Console(stderr=True, soft_wrap=True).print(str(error), markup=False, highlight=False)
        sys.exit(error.exit_code)
