"""What of the plugin API is on its way out, and the warning for those who still use it."""

import inspect
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Deprecation:
    """Something that still works, and will not always.

    Args:
        gone_in: the version of srbench that takes it away.
        instead: what to use, as a sentence goes on after "Use".
        moved_to: of a name of `srbench.api`: the import string of what it still gives.
    """

    gone_in: str
    instead: str
    moved_to: str = ""


NAMES: dict[str, Deprecation] = {}
"""Of `srbench.api`."""

HOOKS: dict[str, Deprecation] = {}
"""`run_started` is the hook, `run_started(evaluated)` an argument of it or of the `register` it is given."""

_told: set[tuple[str, str]] = set()
"""What was said to whom: once is enough."""


def warn_of_name(name: str, user: str, file: str, line: int) -> str:
    """Say that a name of `srbench.api` goes away.

    Args:
        name: one of `NAMES`.
        user: the distribution that imports it.
        file, line: where it does.

    Returns:
        The import string of what the name still gives.
    """
    one = NAMES[name]
    _warn(f"srbench.api.{name}", one, user, file, line)
    return one.moved_to


def warn_of_hooks(module: Any, dist: str) -> None:
    """Say which hooks and arguments go away, of those that the functions of a plugin module implement."""
    for name in dir(module):
        function = getattr(module, name, None)
        options = getattr(function, "srbench_impl", None)
        if options is not None and inspect.isroutine(function):
            hook = options.get("specname") or name
            asked = inspect.signature(function).parameters
            _warn_of_each([hook, *(f"{hook}({one})" for one in asked)], dist, function)


def warn_of_options(hook: str, options: Iterable[str], dist: str, function: Callable[..., None]) -> None:
    """Say which arguments of `register` go away, of those that the function of a plugin gave it."""
    _warn_of_each([f"{hook}({option})" for option in options], dist, function)


def _warn_of_each(used: Iterable[str], dist: str, function: Callable[..., None]) -> None:
    for what in used:
        if what in HOOKS:
            code = inspect.unwrap(function).__code__
            _warn(what, HOOKS[what], dist, code.co_filename, code.co_firstlineno)


def _warn(what: str, one: Deprecation, user: str, file: str, line: int) -> None:
    if (what, user) in _told:
        return
    _told.add((what, user))
    said = f"{user} uses {what}, which srbench {one.gone_in} takes away. Use {one.instead}."
    warnings.warn_explicit(said, FutureWarning, file, line)
