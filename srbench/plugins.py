"""Find plugins, load each on its own, and keep what went wrong beside what went right."""

import copy
import importlib.metadata
import inspect
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import pluggy

from srbench import __version__, hookspecs
from srbench.errors import EndedAtOnce, did_you_mean
from srbench.parameters import called_with

_log = logging.getLogger(__name__)

GROUP = "srbench"
"""The entry-point group in which every plugin, first-party or not, is found."""


@dataclass(frozen=True)
class Plugin:
    """One plugin as found: where it comes from, and why it did not load, if it did not.

    Args:
        name: the entry point's name.
        dist: the distribution that brings it.
        version: that distribution's version.
        error: the cause in one line, or None where it loaded.
    """

    name: str
    dist: str
    version: str
    error: str | None = None


class PluginHost:
    """The loaded plugins and a pluggy manager that calls their events.

    Args:
        entry_points: what to load; each on its own, so that a broken one costs only itself.
    """

    def __init__(self, entry_points: Iterable[importlib.metadata.EntryPoint]) -> None:
        self.manager = pluggy.PluginManager("srbench")
        self.manager.add_hookspecs(hookspecs)
        self._found: dict[str, Plugin] = {}
        self._reported: set[tuple[Plugin, str]] = set()
        for entry_point in entry_points:
            self._load(entry_point)

    @property
    def plugins(self) -> list[Plugin]:
        """Every plugin found, in the order of loading, broken ones with their cause."""
        return list(self._found.values())

    def add(self, module: Any, plugin: Plugin) -> None:
        """Take an imported module in as a plugin; a hook that does not exist is recorded as its error."""
        unique = f"{plugin.dist}/{plugin.name}"
        if unique in self._found:
            unique = f"{unique}#{len(self._found)}"
        error = _unknown_hook(module)
        if error is None:
            try:
                self.manager.register(module, name=unique)
            except Exception as cause:
                if self.manager.has_plugin(unique):
                    self.manager.unregister(name=unique)
                error = _one_line(cause)
        self._found[unique] = Plugin(plugin.name, plugin.dist, plugin.version, error)

    def implementations(self, hook: str) -> list[tuple[Plugin, Any]]:
        """The plugins that implement `hook`, each with its function, in the order of loading."""
        calls = getattr(self.manager.hook, hook).get_hookimpls()
        return [(self._found[call.plugin_name], call.function) for call in calls]

    def emit(self, event: str, **arguments: Any) -> None:
        """Call an event hook of every plugin, each with a copy of `arguments` that it may change.

        One that raises never stops the caller. It is reported once a plugin and event.
        """
        for plugin, call in self.implementations(event):
            try:
                call(**called_with(call, copy.deepcopy(arguments)))
            except (KeyboardInterrupt, EndedAtOnce):
                raise
            except BaseException as error:
                if (plugin, event) not in self._reported:
                    self._reported.add((plugin, event))
                    _log.warning(
                        "The hook %s of plugin %s (%s) failed (%s). Runs go on; this is said once.",
                        event, plugin.name, plugin.dist, _one_line(error),
                    )  # fmt: skip

    def fail(self, plugin: Plugin, error: BaseException) -> None:
        """Record that a plugin went wrong after it had loaded."""
        for unique, found in self._found.items():
            if (found.dist, found.name) == (plugin.dist, plugin.name):
                self._found[unique] = Plugin(found.name, found.dist, found.version, _one_line(error))

    def _load(self, entry_point: importlib.metadata.EntryPoint) -> None:
        dist = entry_point.dist
        plugin = Plugin(entry_point.name, dist.name if dist else "?", dist.version if dist else "?")
        try:
            module = entry_point.load()
        # SystemExit too: a module that calls sys.exit at import must not take the program with it.
        except (Exception, SystemExit) as error:
            unique = f"{plugin.dist}/{plugin.name}"
            self._found[unique] = Plugin(plugin.name, plugin.dist, plugin.version, _one_line(error))
            return
        self.add(module, plugin)


@cache
def host() -> PluginHost:
    """The process's plugins: the core's own, then every entry point of the group `srbench`, by name."""
    from srbench import builtin

    found = sorted(importlib.metadata.entry_points(group=GROUP), key=lambda point: (point.name, point.value))
    plugins = PluginHost(())
    plugins.add(builtin, Plugin("builtin", "srbench-harness", __version__))
    for entry_point in found:
        plugins._load(entry_point)
    return plugins


def _unknown_hook(module: Any) -> str | None:
    """The sentence about a hookimpl whose name is no hook: it would never be called."""
    known = [name for name, value in vars(hookspecs).items() if hasattr(value, "srbench_spec")]
    for name, value in inspect.getmembers(module, callable):
        options = getattr(value, "srbench_impl", None)
        hook = (options or {}).get("specname") or name
        if options is not None and hook not in known:
            return f"{hook!r} is no hook of srbench.{did_you_mean(hook, known)}"
    return None


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split()) or "no message"
    return f"{type(error).__name__}: {text}"
