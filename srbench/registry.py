"""Name → component: what the plugins registered, looked up as users type it."""

import importlib
import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache, cached_property, partial
from typing import Any, Literal

from srbench.errors import MetricUnavailable, UsageError, did_you_mean
from srbench.facts import DatasetFacts
from srbench.parameters import called_with, checked, parameters_of
from srbench.plugins import Plugin, PluginHost, host
from srbench.types import CHANNELS, Better, Channels, Plane, Target

Kind = Literal["model", "loss", "trainer", "dataset", "metric", "degradation"]
KINDS: tuple[Kind, ...] = ("model", "loss", "trainer", "dataset", "metric", "degradation")

_DIRECTIONS: tuple[Better, ...] = ("higher", "lower", "neither")

_GIVEN: Mapping[Kind, frozenset[str]] = {
    "model": frozenset({"planes", "scale"}),
    "loss": frozenset(),
    "trainer": frozenset(),
    "dataset": frozenset({"scale"}),
    "metric": frozenset({"sr", "hr", "lr", "degraded", "scale"}),
    "degradation": frozenset(),
}
"""What the core itself passes to a component of each kind: not the user's to set."""


@dataclass(frozen=True)
class Component:
    """A named thing that a plugin provides.

    Args:
        kind: model, loss, trainer, dataset, metric or degradation.
        name: as typed on the command line.
        plugin: who provides it.
        target: the callable, or the import string of one.
    """

    kind: Kind
    name: str
    plugin: Plugin
    target: Target

    @cached_property
    def build(self) -> Callable[..., Any]:
        """The callable itself, imported on first use.

        Raises:
            UsageError: the import failed; the message names plugin, target and cause.
        """
        if not isinstance(self.target, str):
            return self.target
        try:
            return typing.cast(Callable[..., Any], resolve(self.target))
        except (Exception, SystemExit) as error:
            raise UsageError(
                f"The {self.kind} {self.name!r} of {self.plugin.dist} cannot be loaded from {self.target} "
                f"({type(error).__name__}: {error}). Mend or uninstall that plugin."
            ) from error

    def make(self, **settings: Any) -> Any:
        """Build the component with settings that `settings()` has checked.

        Raises:
            UsageError: the builder itself refuses a value, or lacks something here, with its reason.
        """
        try:
            return self.build(**settings)
        except MetricUnavailable as reason:
            raise UsageError(
                f"{self.kind.capitalize()} {self.name!r} cannot be used here. {reason}"
            ) from reason
        except ValueError as error:
            raise UsageError(f"{self.kind.capitalize()} {self.name!r} cannot be built: {error}.") from error

    @cached_property
    def parameters(self) -> dict[str, inspect.Parameter]:
        """The user's parameters, in order; their annotations are resolved types."""
        return parameters_of(self.build, _GIVEN[self.kind])

    def asks(self, *names: str) -> bool:
        """Whether it asks for any of what the core passes, by parameter name."""
        return any(name in inspect.signature(self.build).parameters for name in names)

    def settings(self, typed: Mapping[str, Any]) -> dict[str, Any]:
        """`typed` checked against the signature and converted, defaults filled in.

        Raises:
            UsageError: an unknown, ill-typed or missing parameter.
        """
        return checked(f"{self.kind.capitalize()} {self.name!r}", self.parameters, typed)


@dataclass(frozen=True)
class Model(Component):
    """A model; the fields are what `register_models` takes."""

    scales: tuple[int, ...] | None = None
    channels: Channels = "rgb"
    trainable: bool = True
    size_multiple: int | Target = 1
    tileable: bool = True
    reader: Target | None = None
    recipes: Mapping[str, Mapping[str, Any] | Target] = field(default_factory=dict)
    terms: Target | None = None

    def padded_to(self, settings: Mapping[str, Any]) -> int:
        """What LR sides are padded to a multiple of.

        Raises:
            UsageError: the settings cannot be.
        """
        if isinstance(self.size_multiple, int):
            return self.size_multiple
        return int(self._asked(self.size_multiple, settings))

    def recipe(self, name: str, settings: Mapping[str, Any], scale: int) -> dict[str, Any]:
        """The recipe `name`, which the model has.

        Raises:
            UsageError: there is none for these settings.
        """
        recipe = self.recipes[name]
        if isinstance(recipe, Mapping):
            return dict(recipe)
        return dict(self._asked(recipe, {**settings, "scale": scale}))

    def told(self, settings: Mapping[str, Any]) -> str:
        """What a user is told before the model is used; empty: nothing.

        Args:
            settings: checked, with `planes` and `scale`; none of all that: what is told of the model as such.

        Raises:
            UsageError: the settings cannot be.
        """
        return "" if self.terms is None else str(self._asked(self.terms, settings))

    def _asked(self, target: Target, settings: Mapping[str, Any]) -> Any:
        try:
            function = resolve(target)
        except (Exception, SystemExit) as error:
            raise UsageError(
                f"What the model {self.name!r} of {self.plugin.dist} says of itself cannot be loaded from "
                f"{target} ({type(error).__name__}: {error}). Mend or uninstall that plugin."
            ) from error
        try:
            return function(**called_with(function, settings))
        except ValueError as error:
            raise UsageError(f"Model {self.name!r} cannot be built: {error}.") from error


@dataclass(frozen=True)
class Loss(Component):
    """A loss; the fields are what `register_losses` takes."""

    domain: Literal["plane", "rgb"] = "plane"
    scales: Literal["all", "last"] = "all"
    facts: Target | None = None

    def read_facts(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """What training depends on beside `settings`, as plain data.

        Raises:
            MetricUnavailable: the loss cannot be computed on this machine.
        """
        return _facts(self.facts, settings)


@dataclass(frozen=True)
class DatasetComponent(Component):
    """A dataset; the field is what `register_datasets` takes."""

    facts: DatasetFacts | str | None = None

    def read_facts(self) -> DatasetFacts | None:
        """What is known of a public set; None for any other.

        Raises:
            UsageError: the import string leads to no facts; the message names the plugin.
        """
        if not isinstance(self.facts, str):
            return self.facts
        try:
            facts = resolve(self.facts)
            if not isinstance(facts, DatasetFacts):
                raise TypeError(f"it is {type(facts).__name__}, not DatasetFacts")
        except (Exception, SystemExit) as error:
            raise UsageError(
                f"The facts of the dataset {self.name!r} of {self.plugin.dist} cannot be loaded from "
                f"{self.facts} ({error}). Mend or uninstall that plugin."
            ) from error
        return facts


@dataclass(frozen=True)
class DegradationComponent(Component):
    """A degradation; the fields are what `register_degradations` takes."""

    stochastic: bool = False
    margin: int | Target = 0

    def make(self, **settings: Any) -> Any:
        """A `srbench.images.stochastic.Degradation`, built with settings that `settings()` has checked.

        Raises:
            UsageError: the builder itself refuses a value, with its reason.
        """
        function = super().make(**settings)
        if not self.stochastic:
            return function
        from srbench.images.stochastic import Stochastic  # which loads torch

        return Stochastic(function, partial(self._reach, settings))

    def _reach(self, settings: Mapping[str, Any], scale: int) -> int:
        if isinstance(self.margin, int):
            return self.margin
        margin = resolve(self.margin)
        return int(margin(**called_with(margin, {**settings, "scale": scale})))


@dataclass(frozen=True)
class Metric(Component):
    """A metric; the fields are what `register_metrics` takes."""

    better: Better | Target = "higher"
    field: str = ""
    unit: str = ""
    planes: tuple[Plane, ...] = ("r", "g", "b", "y")
    facts: Target | None = None
    shows: tuple[str, ...] = ()

    def direction(self, settings: Mapping[str, Any]) -> Better:
        """Which values are better, with these settings."""
        if self.better in _DIRECTIONS:
            return self.better
        function = resolve(self.better)
        direction = function(**called_with(function, settings))
        if direction not in _DIRECTIONS:
            raise UsageError(
                f"The metric {self.name!r} of {self.plugin.dist} says {direction!r} is better, which is none "
                f"of {', '.join(_DIRECTIONS)}. Mend or uninstall that plugin."
            )
        return typing.cast(Better, direction)

    def read_facts(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """What scores depend on beside `settings`, as plain data.

        Raises:
            MetricUnavailable: the metric cannot be computed on this machine.
        """
        return _facts(self.facts, settings)


@dataclass(frozen=True)
class Row:
    """One line of `srbench plugins`: a component, or a plugin or registration that failed."""

    kind: str
    name: str
    dist: str
    version: str
    state: str


class Registry:
    """All components of the plugins of `plugins`, each hook called once, each plugin on its own.

    Args:
        plugins: the loaded plugins.
    """

    def __init__(self, plugins: PluginHost) -> None:
        self.plugins = plugins
        self._components: dict[Kind, dict[str, list[Component]]] = {kind: {} for kind in KINDS}
        self.refused: list[Row] = []
        for kind in KINDS:
            for plugin, register_all in plugins.implementations(f"register_{_plural(kind)}"):
                self._collect(kind, plugin, register_all)

    def _collect(self, kind: Kind, plugin: Plugin, register_all: Callable[..., None]) -> None:
        collected: list[Component] = []

        def register(name: str, target: Target, **options: Any) -> None:
            try:
                collected.append(_component(kind, name, plugin, target, options))
            except (TypeError, ValueError) as error:
                self.refused.append(Row(kind, str(name), plugin.dist, plugin.version, f"refused: {error}"))

        try:
            register_all(register=register)
        except (Exception, SystemExit) as error:
            # Half a plugin is worse than none: what it had named so far is dropped with the rest.
            self.plugins.fail(plugin, error)
            return
        for component in collected:
            self._components[kind].setdefault(component.name, []).append(component)

    def names(self, kind: Kind) -> list[str]:
        """The names of a kind, sorted."""
        return sorted(self._components[kind])

    def all(self, kind: Kind) -> list[Any]:
        """The components of a kind by name, those that clash too."""
        return [one for name in self.names(kind) for one in self._components[kind][name]]

    def find(self, kind: Kind, name: str) -> Any:
        """The component of that name; `dist/name` where two plugins claim it.

        Raises:
            UsageError: no such name (with the nearest one, and the plugins that did not load), or a name
                that two plugins claim.
        """
        dist, _, bare = name.rpartition("/")
        found = [one for one in self._components[kind].get(bare, []) if not dist or one.plugin.dist == dist]
        if len(found) == 1:
            return found[0]
        if found:
            owners = " and ".join(f"{one.plugin.dist}/{name}" for one in found)
            raise UsageError(f"Two plugins name a {kind} {name!r}. Say which one is meant: {owners}.")
        near = [*self.names(kind), *(self.names("trainer") if kind == "loss" else [])]
        hint = did_you_mean(bare, near)
        broken = [plugin for plugin in self.plugins.plugins if plugin.error]
        may = "; ".join(f"{plugin.name} of {plugin.dist} ({plugin.error})" for plugin in broken)
        raise UsageError(
            f"No {kind} named {name!r}.{hint} srbench plugins lists all."
            + (f" A plugin did not load and may have it: {may}." if broken else "")
        )

    def spelling(self, component: Component) -> str:
        """The name by which `find` gives this component: bare where it is the only one, else `dist/name`."""
        alone = len(self._components[component.kind][component.name]) == 1
        return component.name if alone else f"{component.plugin.dist}/{component.name}"

    def family(self, metric: Metric) -> list[Metric]:
        """The metrics that one call gives: those of its plugin that are fields of one function's result."""
        if not metric.field:
            return [metric]
        everything = (one for found in self._components["metric"].values() for one in found)
        return [
            one
            for one in everything
            if isinstance(one, Metric)
            and one.field
            and (one.plugin, one.target) == (metric.plugin, metric.target)
        ]

    def rows(self) -> list[Row]:
        """Everything named, refused or broken; a plugin of events alone is a row too."""
        rows = []
        for kind, by_name in self._components.items():
            for name, found in sorted(by_name.items()):
                state = (
                    "ok"
                    if len(found) == 1
                    else "clash: say " + " or ".join(f"{one.plugin.dist}/{name}" for one in found)
                )
                rows += [Row(kind, name, one.plugin.dist, one.plugin.version, state) for one in found]
        rows += self.refused
        named = {(row.dist, row.version) for row in rows}
        for plugin in self.plugins.plugins:
            state = f"failed: {plugin.error}" if plugin.error else "ok"
            if plugin.error or (plugin.dist, plugin.version) not in named:
                rows.append(Row("plugin", plugin.name, plugin.dist, plugin.version, state))
        return rows


@cache
def registry() -> Registry:
    """The process's registry, made on first use."""
    return Registry(host())


def resolve(target: Target) -> Any:
    """What the import string `"package.module:attribute"` names; a callable is returned as it is."""
    if not isinstance(target, str):
        return target
    module, _, attribute = target.partition(":")
    value: Any = importlib.import_module(module)
    for part in attribute.split("."):
        value = getattr(value, part)
    return value


def _is_import_string(target: object) -> bool:
    return isinstance(target, str) and target.count(":") == 1


def _facts(target: Target | None, settings: Mapping[str, Any]) -> dict[str, Any]:
    if target is None:
        return {}
    facts = resolve(target)
    return dict(facts(**called_with(facts, settings)))


_CLASSES: dict[Kind, type[Component]] = {
    "model": Model,
    "loss": Loss,
    "trainer": Component,
    "dataset": DatasetComponent,
    "metric": Metric,
    "degradation": DegradationComponent,
}


def _plural(kind: Kind) -> str:
    return "losses" if kind == "loss" else f"{kind}s"


def _component(
    kind: Kind, name: str, plugin: Plugin, target: Target, options: Mapping[str, Any]
) -> Component:
    """The component a plugin described, checked; raises TypeError or ValueError with what is wrong."""
    if not isinstance(name, str) or not name or set(name) & set(' /:,=+*"'):
        raise ValueError(f"the name {name!r} must be one word without any of / : , = + * and quotes")
    if not callable(target) and not _is_import_string(target):
        raise ValueError(f"{target!r} is neither a callable nor an import string 'package.module:attribute'")
    cls = _CLASSES[kind]
    known = {field.name for field in fields(cls)} - {field.name for field in fields(Component)}
    for option in options:
        if option not in known:
            raise ValueError(f"register takes no {option!r}.{did_you_mean(option, known)}")
    values = {
        key: tuple(v) if isinstance(v, Sequence) and not isinstance(v, str) else v
        for key, v in options.items()
    }
    if values.get("channels", "rgb") not in CHANNELS:
        raise ValueError(f"channels {values['channels']!r} is none of {', '.join(CHANNELS)}")
    better = values.get("better")
    if kind == "metric" and not (better in _DIRECTIONS or callable(better) or _is_import_string(better)):
        raise ValueError("better must be 'higher', 'lower' or 'neither', or a function that says which")
    for plane in values.get("planes", ()):
        if plane not in ("r", "g", "b", "y", "rgb"):
            raise ValueError(f"unknown plane {plane!r}; planes are r, g, b, y, or rgb for the three jointly")
    if kind == "dataset" and not isinstance(values.get("facts"), DatasetFacts | str | None):
        raise ValueError("facts must be a DatasetFacts or the import string of one")
    if values.get("margin", 0) != 0 and not values.get("stochastic"):
        raise ValueError("a margin is for degradations that are registered with stochastic=True")
    if values.get("domain", "plane") not in ("plane", "rgb"):
        raise ValueError(f"domain {values['domain']!r} is neither 'plane' nor 'rgb'")
    return cls(kind=kind, name=name, plugin=plugin, target=target, **values)
