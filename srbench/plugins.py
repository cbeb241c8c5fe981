"""Find plugins, load each on its own, and keep what went wrong beside what went right."""

import contextlib
import copy
import importlib.metadata
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pluggy

from srbench import __version__, hookspecs, oneoff
from srbench.containment import contained
from srbench.deprecations import warn_of_hooks
from srbench.errors import did_you_mean
from srbench.faults import PASSED_ON, cause, module_fault, one_line
from srbench.parameters import called_with
from srbench.selection import ONLY, WITHOUT, Selection, means

_log = logging.getLogger(__name__)

GROUP = "srbench"
"""The entry-point group in which every plugin, first-party or not, is found."""

OWN = "srbench-harness"
"""The distribution that srbench itself and its own plugins come in."""


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

    `left_out` are the plugins that were not to be loaded.

    Args:
        entry_points: what to load; each on its own, so that a broken one costs only itself.
    """

    def __init__(self, entry_points: Iterable[importlib.metadata.EntryPoint]) -> None:
        self.manager = pluggy.PluginManager("srbench")
        self.manager.add_hookspecs(hookspecs)
        self._found: dict[str, Plugin] = {}
        self._reported: set[tuple[Plugin, str]] = set()
        self.left_out: list[Plugin] = []
        self.load(entry_points, Selection())

    def load(self, entry_points: Iterable[importlib.metadata.EntryPoint], selection: Selection) -> None:
        """Load those of `entry_points` that a selection takes, and the files that it names."""
        names: dict[int, tuple[str, str]] = {}
        for point in entry_points:
            if id(point.dist) not in names:
                names[id(point.dist)] = name_and_version(point.dist)
            plugin = Plugin(point.name, *names[id(point.dist)])
            if selection.takes(plugin.name, plugin.dist):
                self._take(plugin, point.load, point.value.partition(":")[0].strip())
            else:
                self.left_out.append(plugin)
        for file in selection.files:
            self._take_file(file, selection)
        self._warn_of_unknown(selection)

    @property
    def plugins(self) -> list[Plugin]:
        """Every plugin found, in the order of loading, broken ones with their cause."""
        return list(self._found.values())

    def add(self, module: Any, plugin: Plugin) -> None:
        """Take an imported module in as a plugin; what keeps it from being one is recorded as its error."""
        self._take(plugin, lambda: module)

    def remove(self, module: Any) -> None:
        """Take a plugin that `add` took in out again, as if it had never been there."""
        self._found.pop(self.manager.get_name(module) or "", None)
        self.manager.unregister(module)

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
            except PASSED_ON:
                raise
            except BaseException as error:
                if (plugin, event) not in self._reported:
                    self._reported.add((plugin, event))
                    _log.warning(
                        "The hook %s of plugin %s (%s) failed (%s). Runs go on; this is said once.",
                        event, plugin.name, plugin.dist, one_line(error),
                    )  # fmt: skip

    def fail(self, plugin: Plugin, error: BaseException) -> None:
        """Take one of `plugins` out again, events too, and record what went wrong after it had loaded."""
        unique = next(key for key, found in self._found.items() if found is plugin)
        self.manager.unregister(name=unique)
        self._record(unique, plugin, cause(error, plugin.dist))

    def _take(self, plugin: Plugin, load: Callable[[], Any], module: str = "") -> Plugin:
        """Load one plugin, whatever comes of it."""
        unique = f"{plugin.dist}/{plugin.name}"
        if unique in self._found:
            unique = f"{unique}#{len(self._found)}"
        try:
            with contained():
                found = load()
                error = module_fault(found)
            known = self.manager.get_name(found)
            if error is None and known is not None:
                error = f"its module is that of {known} and is loaded once"
            if error is None:
                warn_of_hooks(found, plugin.dist)
                self.manager.register(found, name=unique)
        except PASSED_ON:
            raise
        # All else too: a module that calls sys.exit at import must not take the program with it.
        except BaseException as raised:
            error = cause(raised, plugin.dist, module)
            if self.manager.has_plugin(unique):
                self.manager.unregister(name=unique)
        return self._record(unique, plugin, error)

    def _record(self, unique: str, plugin: Plugin, error: str | None) -> Plugin:
        self._found[unique] = Plugin(plugin.name, plugin.dist, plugin.version, error)
        return self._found[unique]

    def _take_file(self, file: Path, selection: Selection) -> None:
        plugin = Plugin(oneoff.name_of(file), oneoff.shown_as(file), "local")
        if not selection.takes(plugin.name, plugin.dist, installed=False):
            self.left_out.append(plugin)
            return
        error = self._take(plugin, lambda: oneoff.load(file)).error
        if error is not None:  # the user named it, so it is not left to srbench plugins to tell
            _log.warning("The plugin %s did not load: %s.", file, error)

    def _warn_of_unknown(self, selection: Selection) -> None:
        """Say which names of a selection stand for nothing, or for more than one plugin."""
        found = [*self.plugins, *self.left_out]
        for variable, words in (
            (f"--no-plugin or {WITHOUT}", selection.without),
            (ONLY, selection.only or ()),
        ):
            for word in words:
                meant = [one for one in found if means(word, one.name, one.dist)]
                if not meant:
                    known = {one.name for one in found} | {one.dist for one in found}
                    _log.warning(
                        "%s names %r, which is no plugin here and no distribution of one.%s",
                        variable, word, did_you_mean(word, known),
                    )  # fmt: skip
                elif len({one.dist for one in meant}) > 1:
                    each = ", ".join(f"{one.dist}/{one.name}" for one in meant)
                    _log.warning("%s names %r, which means all of %s.", variable, word, each)


@cache
def host() -> PluginHost:
    """The process's plugins: the core's own, the entry points of the group `srbench` by name, and files.

    Raises:
        UsageError: a file or folder that the environment names is not there.
    """
    from srbench import builtin

    selection = Selection.from_environment()
    plugins = PluginHost(())
    plugins.add(builtin, Plugin("builtin", OWN, __version__))
    plugins.load(sorted(entry_points(), key=lambda point: (point.name, point.value)), selection)
    return plugins


def distribution_of(module: str) -> str | None:
    """The distribution of the plugin whose package a module is of; None where no installed plugin is."""
    package = module.partition(".")[0]
    for point in entry_points():
        if point.value.partition(":")[0].partition(".")[0].strip() == package:
            return name_and_version(point.dist)[0]
    return None


def entry_points() -> list[importlib.metadata.EntryPoint]:
    """Those of the group `srbench`, of every installed distribution whose metadata can be read."""
    try:
        return list(importlib.metadata.entry_points(group=GROUP))
    except Exception as error:  # one distribution's metadata cannot be read: the others still can
        _warn_of_damage(one_line(error))
    found: dict[tuple[str, str, str], importlib.metadata.EntryPoint] = {}
    for dist in importlib.metadata.distributions():
        with contextlib.suppress(Exception):
            for point in dist.entry_points.select(group=GROUP):
                found.setdefault((name_and_version(dist)[0], point.name, point.value), point)
    return list(found.values())


@cache
def _warn_of_damage(cause: str) -> None:
    _log.warning("The metadata of an installed package is damaged (%s).", cause)


def name_and_version(dist: importlib.metadata.Distribution | None) -> tuple[str, str]:
    """What a distribution is called, and its version; `?` where that is not known."""
    if dist is None:
        return "?", "?"
    metadata = dist.metadata  # parsed anew at each look
    return str(metadata["Name"] or "?"), str(metadata["Version"] or "?")
