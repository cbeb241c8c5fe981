"""What is wrong with a plugin, in one line that says what to do about it."""

import importlib.metadata
import inspect
import re
import textwrap
from collections.abc import Callable, Mapping
from typing import Any

from srbench import hookspecs
from srbench.errors import EndedAtOnce, StoppedError, did_you_mean
from srbench.hookspecs import API_VERSION, OLDEST_API_VERSION
from srbench.selection import canonical

PASSED_ON = (KeyboardInterrupt, StoppedError, EndedAtOnce)
"""What may be raised in the middle of a plugin's code and is no fault of it: requests to stop."""

HOOKS: Mapping[str, tuple[str, ...]] = {
    name: tuple(inspect.signature(hook).parameters)
    for name, hook in vars(hookspecs).items()
    if hasattr(hook, "srbench_spec")
}
"""Each hook with the arguments that it gives."""

_LONGEST = 400


def one_line(error: BaseException) -> str:
    """`ValueError: text`, on one line and not too long."""
    text = " ".join(str(error).split()) or "no message"
    return textwrap.shorten(f"{type(error).__name__}: {text}", _LONGEST, placeholder=" …")


def cause(error: BaseException, dist: str, module: str = "") -> str:
    """Why a plugin could not be loaded, and what to install where something is missing.

    Args:
        error: what its code raised.
        dist: the distribution that brings it.
        module: what was to be imported.
    """
    line = one_line(error)
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"{line}; {_remedy(error.name, dist, module)}"
    if isinstance(error, SystemExit):
        return f"{line}; it ends the program when it is imported"
    return line


def module_fault(module: Any) -> str | None:
    """What keeps an imported module from being a plugin; None where nothing does."""
    fault = _version_fault(getattr(module, "SRBENCH_API", API_VERSION))
    if fault is not None:
        return fault
    has_hooks = False
    for name in dir(module):
        function = getattr(module, name, None)
        if not inspect.isroutine(function):
            continue
        options = getattr(function, "srbench_impl", None)
        if options is not None:
            has_hooks = True
            fault = _hook_fault(name, options.get("specname") or name, function)
        elif name in HOOKS:
            fault = f"{name} has no @hookimpl above it, so srbench would never call it"
        if fault is not None:
            return fault
    return None if has_hooks else "it has no function with @hookimpl above it, so it gives srbench nothing"


def _version_fault(version: object) -> str | None:
    if not isinstance(version, int) or isinstance(version, bool):
        return f"SRBENCH_API is a whole number such as {API_VERSION}, not {version!r}"
    written = f"is written for version {version} of srbench.api, and this srbench has {API_VERSION}"
    if version > API_VERSION:
        return f"{written}: update srbench-harness"
    if version < OLDEST_API_VERSION:
        return f"{written}, which knows those from {OLDEST_API_VERSION} on: update the plugin"
    return None


def _hook_fault(name: str, hook: str, function: Callable[..., Any]) -> str | None:
    if hook not in HOOKS:
        return f"{hook!r} is no hook of srbench.{did_you_mean(hook, HOOKS)}"
    asked = inspect.signature(function).parameters.values()
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    for one in asked:
        if (
            one.name not in HOOKS[hook]
            and one.default is inspect.Parameter.empty
            and one.kind not in variable
        ):
            known = ", ".join(HOOKS[hook])
            hint = did_you_mean(one.name, HOOKS[hook])
            return f"{name} asks for {one.name!r}, which {hook} does not give.{hint} It gives: {known}"
    takes = {one.name for one in asked} | {"register" for one in asked if one.kind is variable[1]}
    if hook.startswith("register_") and "register" not in takes:
        return f"{name} takes no argument 'register', so it can name nothing"
    return None


def _remedy(missing: str, dist: str, module: str) -> str:
    if module == missing or module.startswith(f"{missing}."):
        return f"its entry point names {module}: install {dist} again, or mend its entry point"
    top = missing.partition(".")[0]
    if top == "srbench":
        return "of srbench, plugins import srbench.api alone"
    for requirement in _requirements(dist):
        named = re.match(r"[\w.-]+", requirement)
        if named and canonical(named[0]) == canonical(top):
            extra = re.search(r"""extra\s*==\s*["']([^"']+)["']""", requirement)
            wanted = f"{dist}[{extra[1]}]" if extra else requirement.partition(";")[0].strip()
            return f'pip install "{wanted}"'
    return f"install {top}, which {dist} imports"


def _requirements(dist: str) -> list[str]:
    try:
        return importlib.metadata.requires(dist) or []
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return []  # a file of the user's own
