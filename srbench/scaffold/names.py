"""Whether a name suits a new plugin, and what its package is called."""

import importlib.metadata
import importlib.util
import re
from dataclasses import dataclass

from srbench.components import Kind
from srbench.errors import UsageError
from srbench.registry import registry

LONGEST = 32
"""Characters of a name: run ids and tables show it whole."""

_PREFIX = "srbench"
_NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")


@dataclass(frozen=True)
class Names:
    """What a plugin is called in each place.

    Args:
        component: as typed on the command line.
        distribution: as pip knows it, normalised.
        package: as Python imports it.
        entry_point: as `srbench plugins list` shows a plugin that did not load.
    """

    component: str
    distribution: str
    package: str
    entry_point: str


def names_of(kind: Kind, name: str) -> Names:
    """The names of a new plugin.

    Raises:
        UsageError: `name` is none, or something of that name is there already.
    """
    if len(name) > LONGEST or not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot name a {kind}. A name begins with a letter, and is lower-case letters and "
            f"digits in words joined by - or _, {LONGEST} characters at most."
        )
    if re.match(rf"{_PREFIX}([-_]|$)", name):
        raise UsageError(
            f"{name!r} begins with {_PREFIX}, which the package gets by itself: the {kind} mynet comes in "
            f"{_PREFIX}-mynet. Leave it out."
        )
    word = name.replace("-", "_")
    names = Names(name, f"{_PREFIX}-{name.replace('_', '-')}", f"{_PREFIX}_{word}", word)
    _check_free(kind, names)
    return names


def _check_free(kind: Kind, names: Names) -> None:
    # Losses and trainers are named by one option.
    for taken in ("loss", "trainer") if kind == "loss" else (kind,):
        for one in registry().all(taken):
            if one.name == names.component:
                raise UsageError(
                    f"There is a {taken} {one.name!r} already, of {one.plugin.dist}. With two of them the "
                    "bare name would be refused. Choose another."
                )
    for plugin in registry().plugins.plugins:
        if plugin.name == names.entry_point:
            raise UsageError(
                f"There is a plugin {plugin.name!r} already, of {plugin.dist}, and this one would be called "
                "the same. Choose another name."
            )
    try:
        version = importlib.metadata.version(names.distribution)
    except importlib.metadata.PackageNotFoundError:
        version = None
    if version is not None:
        raise UsageError(
            f"The package would be called {names.distribution}, and {names.distribution} {version} is "
            "installed already. Choose another name, or uninstall that one."
        )
    if importlib.util.find_spec(names.package) is not None:
        raise UsageError(
            f"The package would be imported as {names.package}, and a module of that name is there already. "
            "Choose another name."
        )
