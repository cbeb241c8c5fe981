"""Commands that are imported when they are called: the core's own, and those of plugins."""

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand, TyperGroup

from srbench.builtin import COMMANDS
from srbench.errors import SrbenchError, UsageError, did_you_mean

if TYPE_CHECKING:
    from srbench.components import Command

_log = logging.getLogger(__name__)

_ENDINGS: tuple[type[BaseException], ...] = (
    SrbenchError,
    typer.Exit,
    typer.Abort,
    # What is wrong with a command line; some versions of typer have it from click, others of their own.
    *(one for one in typer.BadParameter.__mro__ if one.__name__ == "ClickException"),
    EOFError,
    BrokenPipeError,
)
"""How a command may end without a fault in it: `main`, typer and Python know what to do."""


class LazyGroup(TyperGroup):
    """The commands of `srbench`: only the one that is called is imported, and no plugin for the core's."""

    _called: "Command | None" = None

    def list_commands(self, ctx: Any) -> list[str]:
        """All names, the core's first; of plugins' as they have to be typed."""
        return [*COMMANDS, *_of_plugins()]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A command to be shown: a plugin's is not imported for that."""
        if cmd_name in COMMANDS:
            module, _, attribute = COMMANDS[cmd_name].partition(":")
            return _built(cmd_name, getattr(import_module(module), attribute))
        found = _of_plugins().get(cmd_name)
        if found is None:
            return None
        panel = f"Commands of {found.plugin.dist}"
        return TyperCommand(name=cmd_name, help=_plain(found.help), rich_help_panel=panel)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command to be called, whole.

        Raises:
            UsageError: there is none of that name, or several plugins claim it.
            PluginError: the plugin registered what is no command.
        """
        name = args[0]
        if name in COMMANDS:
            return name, self.get_command(ctx, name), args[1:]
        self._called = _find(name)
        return name, _built_of_plugin(name, self._called), args[1:]

    def invoke(self, ctx: Any) -> Any:
        """Call the command. An exception in one of a plugin's is told as that plugin's.

        Raises:
            PluginError: in place of what it raised.
        """
        try:
            return super().invoke(ctx)
        except _ENDINGS:
            raise
        except Exception as error:
            if self._called is None:
                raise
            _log.error("The command %s met an unexpected error:", self._called.name, exc_info=error)
            raise self._called.broken("failed", error) from error


def _of_plugins() -> "dict[str, Command]":
    from srbench.registry import registry

    return {registry().typing(one): one for one in registry().all("command")}


def _find(name: str) -> "Command":
    from srbench.registry import registry

    registry().check_typed("command", name)
    known = [*COMMANDS, *_of_plugins()]
    if not registry().has("command", name):
        hint = did_you_mean(name, known)
        raise UsageError(f"srbench has no command {name!r}.{hint} srbench --help lists all.")
    command: Command = registry().find("command", name)
    return command


def _built_of_plugin(name: str, command: "Command") -> Any:
    target = command.build
    try:
        return _built(name, target)
    except Exception as error:  # arguments that typer cannot make options of
        raise command.broken("cannot be made a command", error) from error


def _built(name: str, target: Any) -> Any:
    """A function or a `typer.Typer` as the command `name`."""
    outer = typer.Typer(add_completion=False, rich_markup_mode="rich")
    if isinstance(target, typer.Typer):
        outer.add_typer(target, name=name)
    else:
        outer.command(name)(target)
    return typer.main.get_group(outer).commands[name]


def _plain(text: str) -> str:
    """A plugin's text, in which brackets are no markup."""
    from rich.markup import escape

    return escape(" ".join(text.split()))
