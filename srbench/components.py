"""What a plugin provides under a name: models, losses, trainers, datasets, metrics and the like; commands."""

import importlib
import inspect
import logging
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from math import inf
from pathlib import Path
from typing import Any, Literal

from srbench.containment import contained
from srbench.errors import MetricUnavailable, PluginError, SrbenchError, UsageError
from srbench.facts import DatasetFacts
from srbench.faults import PASSED_ON, cause, one_line
from srbench.parameters import called_with, checked, parameters_of
from srbench.plugins import Plugin
from srbench.types import Better, Channels, Law, Plane, Target

Kind = Literal["model", "loss", "trainer", "dataset", "metric", "degradation", "executor", "command"]

KINDS: tuple[Kind, ...] = ("model", "loss", "trainer", "dataset", "metric", "degradation")
"""What a run is made of and scored by."""

REGISTERED: tuple[Kind, ...] = (*KINDS, "executor", "command")
"""All that plugins register by name."""

_log = logging.getLogger(__name__)

DIRECTIONS: tuple[Better, ...] = ("higher", "lower", "neither")

_GIVEN: Mapping[Kind, frozenset[str]] = {
    "model": frozenset({"planes", "scale"}),
    "loss": frozenset(),
    "trainer": frozenset(),
    "dataset": frozenset({"scale"}),
    "metric": frozenset({"sr", "hr", "lr", "degraded", "scale"}),
    "degradation": frozenset(),
    "executor": frozenset(),
    "command": frozenset(),
}
"""What the core itself passes to a component of each kind: not the user's to set."""


@dataclass(frozen=True)
class Component:
    """A named thing that a plugin provides.

    Args:
        kind: model, loss, trainer, dataset, metric, degradation, executor or command.
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
        what = f"The {self.kind} {self.name!r} of {self.plugin.dist}"
        found = self._loaded(self.target, what)
        if not callable(found):
            raise UsageError(
                f"{what} cannot be loaded from {self.target} (it is {type(found).__name__}, and nothing that "
                "can be called). Mend or uninstall that plugin."
            )
        return typing.cast(Callable[..., Any], found)

    def _loaded(self, target: Target, what: str) -> Any:
        """What an import string of this component's names."""
        try:
            with contained():
                return resolve(target)
        except PASSED_ON:
            raise
        except BaseException as error:
            raise UsageError(
                f"{what} cannot be loaded from {target} ({cause(error, self.plugin.dist)}). Mend or "
                "uninstall that plugin."
            ) from error

    def make(self, **settings: Any) -> Any:
        """Build the component with settings that `settings()` has checked.

        Raises:
            UsageError: the builder itself refuses a value, or lacks something here, with its reason; or
                memory is short.
            PluginError: it fails in another way.
        """
        build = self.build
        try:
            with contained():
                return build(**settings)
        except SrbenchError:
            raise
        except MetricUnavailable as reason:
            raise UsageError(
                f"{self.kind.capitalize()} {self.name!r} cannot be used here. {reason}"
            ) from reason
        except ValueError as error:
            raise UsageError(f"{self.kind.capitalize()} {self.name!r} cannot be built: {error}.") from error
        except Exception as error:
            from srbench.memory import is_out_of_memory  # which loads torch, as what was built has

            if is_out_of_memory(error):
                raise UsageError(
                    f"{self.kind.capitalize()} {self.name!r} does not fit into memory with these settings. "
                    "Take smaller ones."
                ) from error
            raise self.broken("cannot be built", error) from error

    def broken(self, what: str, error: Exception) -> PluginError:
        """The error for an exception in the plugin's own code; its trace goes to those who say `-v`."""
        _log.debug("%s %r of %s %s:", self.kind, self.name, self.plugin.dist, what, exc_info=error)
        return PluginError(
            f"{self.title} {what}: {one_line(error)}. This is a fault of that plugin; srbench -v shows where."
        )

    def fault(self, what: str) -> PluginError:
        """The error for a promise of its kind that the component does not keep."""
        return PluginError(f"{self.title} {what}. This is a fault of that plugin: mend it, or leave it out.")

    @property
    def title(self) -> str:
        """What messages call it: `Model 'lapsrn' of srbench-harness`."""
        return f"{self.kind.capitalize()} {self.name!r} of {self.plugin.dist}"

    @cached_property
    def parameters(self) -> dict[str, inspect.Parameter]:
        """The user's parameters, in order; their annotations are resolved types.

        Raises:
            UsageError: it cannot be loaded, or does not say what it takes.
        """
        build = self.build
        try:
            return parameters_of(build, _GIVEN[self.kind])
        except (TypeError, ValueError) as error:  # classes and functions that are written in C
            raise UsageError(
                f"{self.title} does not say what it takes ({one_line(error)}). This is a fault of that "
                "plugin: it has to register a function of Python's with annotated parameters."
            ) from error

    def asks(self, *names: str) -> bool:
        """Whether it asks for any of what the core passes, by parameter name; raises as `parameters` does."""
        _ = self.parameters
        return any(name in inspect.signature(self.build).parameters for name in names)

    def _asked(self, target: Target, settings: Mapping[str, Any]) -> Any:
        """What a function that it was registered with says of settings."""
        function = self._loaded(
            target, f"What the {self.kind} {self.name!r} of {self.plugin.dist} says of itself"
        )
        try:
            return function(**called_with(function, settings))
        except (SrbenchError, MetricUnavailable):
            raise
        except ValueError as error:
            raise UsageError(f"{self.kind.capitalize()} {self.name!r} cannot be built: {error}.") from error
        except Exception as error:
            raise self.broken("cannot say how it is used", error) from error

    def _facts_from(self, target: Target | None, settings: Mapping[str, Any]) -> dict[str, Any]:
        facts = {} if target is None else self._asked(target, settings)
        if not isinstance(facts, Mapping):
            raise self.fault(f"gives its facts as {type(facts).__name__}, and they are a dict")
        return dict(facts)

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
    tileable: bool | Target = True
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

    def sees_tiles(self, settings: Mapping[str, Any]) -> bool:
        """Whether a picture may be put through it in tiles.

        Raises:
            UsageError: the settings cannot be.
        """
        if isinstance(self.tileable, bool):
            return self.tileable
        return bool(self._asked(self.tileable, settings))

    def recipe(self, name: str, settings: Mapping[str, Any], scale: int) -> dict[str, Any]:
        """The recipe `name`, which the model has.

        Raises:
            UsageError: there is none for these settings.
        """
        recipe = self.recipes[name]
        if isinstance(recipe, Mapping):
            return dict(recipe)
        return dict(self._asked(recipe, {**settings, "scale": scale}))

    def read(self, path: Path, given: Mapping[str, Any]) -> Any:
        """What its reader, which it has, makes of a file of weights.

        Args:
            path: the file.
            given: what else a reader may ask for.

        Raises:
            UsageError: the reader cannot be loaded, or refuses the file, with its reason.
            PluginError: it fails in another way.
        """
        assert self.reader is not None
        reader = self._loaded(self.reader, f"The reader of the model {self.name!r} of {self.plugin.dist}")
        try:
            return reader(**called_with(reader, {**given, "path": path}))
        except SrbenchError:
            raise
        except (ValueError, OSError) as error:
            raise UsageError(f"{path} cannot be read as weights of {self.name!r}: {error}.") from error
        except Exception as error:
            raise self.broken(f"cannot read {path}", error) from error

    def told(self, settings: Mapping[str, Any]) -> str:
        """What a user is told before the model is used; empty: nothing.

        Args:
            settings: checked, with `planes` and `scale`; none of all that: what is told of the model as such.

        Raises:
            UsageError: the settings cannot be.
        """
        return "" if self.terms is None else str(self._asked(self.terms, settings))


@dataclass(frozen=True)
class Loss(Component):
    """A loss; the fields are what `register_losses` takes."""

    domain: Literal["plane", "rgb"] = "plane"
    scales: Literal["all", "last"] = "all"
    facts: Target | None = None
    laws: tuple[Law, ...] = ()

    def check_value(self, value: Any, scale: int) -> None:
        """That what it gave of pictures at `scale` is a loss.

        Raises:
            PluginError: it is not one number, as a tensor.
        """
        numbers = getattr(value, "numel", lambda: 0)()
        if numbers != 1:
            given = f"a tensor of shape {tuple(value.shape)}" if numbers else f"{type(value).__name__}"
            raise self.fault(
                f"gives {given} at ×{scale}, and a loss is one number: a tensor without dimensions"
            )

    def read_facts(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """What training depends on beside `settings`, as plain data.

        Raises:
            MetricUnavailable: the loss cannot be computed on this machine.
            UsageError, PluginError: its function cannot be loaded, or fails.
        """
        return self._facts_from(self.facts, settings)


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
        what = f"The facts of the dataset {self.name!r} of {self.plugin.dist}"
        facts = self._loaded(self.facts, what)
        if not isinstance(facts, DatasetFacts):
            raise UsageError(
                f"{what} cannot be loaded from {self.facts} (it is {type(facts).__name__}, not DatasetFacts)."
                " Mend or uninstall that plugin."
            )
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
        return int(self._asked(self.margin, {**settings, "scale": scale}))


@dataclass(frozen=True)
class Metric(Component):
    """A metric; the fields are what `register_metrics` takes."""

    better: Better | Target = "higher"
    field: str = ""
    unit: str = ""
    planes: tuple[Plane, ...] = ("r", "g", "b", "y")
    facts: Target | None = None
    shows: tuple[str, ...] = ()
    bounds: tuple[float, float] = (-inf, inf)

    def direction(self, settings: Mapping[str, Any]) -> Better:
        """Which values are better, with these settings.

        Raises:
            UsageError: its function cannot be loaded, or says something else.
            PluginError: its function fails.
        """
        if self.better in DIRECTIONS:
            return self.better
        direction = self._asked(self.better, settings)
        if direction not in DIRECTIONS:
            raise UsageError(
                f"The metric {self.name!r} of {self.plugin.dist} says {direction!r} is better, which is none "
                f"of {', '.join(DIRECTIONS)}. Mend or uninstall that plugin."
            )
        return typing.cast(Better, direction)

    def read_facts(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """What scores depend on beside `settings`, as plain data.

        Raises:
            MetricUnavailable: the metric cannot be computed on this machine.
            UsageError, PluginError: its function cannot be loaded, or fails.
        """
        return self._facts_from(self.facts, settings)


@dataclass(frozen=True)
class ExecutorComponent(Component):
    """An executor; the field is what `register_executors` takes."""

    still_queued: Target | None = None

    def queued_of(self, jobs: Sequence[str]) -> Collection[str]:
        """Those of these jobs of its batch system that are not over; all where it cannot say.

        Raises:
            UsageError: the function cannot be loaded.
            PluginError: it fails.
        """
        if self.still_queued is None:
            return jobs
        what = f"The executor {self.name!r} of {self.plugin.dist}"
        function = self._loaded(self.still_queued, what)
        try:
            with contained():
                return set(function(jobs))
        except PASSED_ON:
            raise
        except BaseException as error:
            raise PluginError(
                f"{what} cannot say what is queued ({cause(error, self.plugin.dist)})."
            ) from error


@dataclass(frozen=True)
class Command(Component):
    """A command of `srbench`; the field is what `register_commands` takes."""

    help: str = ""


def plural(kind: Kind) -> str:
    """`model` → `models`, as the hooks and options call a kind."""
    return "losses" if kind == "loss" else f"{kind}s"


def resolve(target: Target) -> Any:
    """What the import string `"package.module:attribute"` names; a callable is returned as it is."""
    if not isinstance(target, str):
        return target
    module, _, attribute = target.partition(":")
    value: Any = importlib.import_module(module)
    for part in attribute.split("."):
        value = getattr(value, part)
    return value
