"""The suite that every component of a kind goes through: `srbench plugins check`, and authors' own tests.

A check is a function that takes a `Subject`. It returns when the promise is kept, raises `Fault` with advice
where it is not, and `NotDemanded` with the reason where the component never gave that promise. Checks look at
what a component declared when it was registered, never at its name.
"""

import ast
import importlib
import inspect
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from srbench.components import Component, Kind
from srbench.errors import UsageError
from srbench.faults import PASSED_ON, one_line
from srbench.grammar import parse_term
from srbench.registry import registry

State = Literal["passed", "failed", "skipped"]

_MODULES: Mapping[Kind, tuple[str, ...]] = {
    "model": ("srbench.testing.models", "srbench.testing.models_trained", "srbench.testing.models_declared"),
    "loss": ("srbench.testing.losses",),
    "trainer": ("srbench.testing.trainers",),
    "dataset": ("srbench.testing.datasets",),
    "metric": ("srbench.testing.metrics",),
    "degradation": ("srbench.testing.degradations",),
}
"""Kind → the modules whose checks it goes through, imported when one of that kind is checked."""

_CHECKS: dict[Kind, list["Check"]] = {}


class Fault(Exception):  # noqa: N818 - what it is called in reports
    """A promise that is not kept; the text says what was seen, what was expected and what to do."""


class NotDemanded(Exception):  # noqa: N818 - no error
    """A promise that this component never gave, or that cannot be looked at here; the text says why."""


@dataclass(frozen=True)
class Subject:
    """A component under test.

    Args:
        component: as registered.
        settings: what it is built with, defaults filled in.
        typed: as its user typed it: `lapsrn:features=4`.
    """

    component: Any
    settings: Mapping[str, Any]
    typed: str

    def make(self, **given: Any) -> Any:
        """The component built with its settings.

        Args:
            given: what srbench itself passes to one of its kind, such as `planes` and `scale` to a model.

        Raises:
            Fault: the builder refuses.
        """
        try:
            return self.component.make(**given, **self.settings)
        except UsageError as error:
            told = ", ".join(f"{name}={value}" for name, value in given.items())
            raise Fault(
                f"{self.typed} cannot be built{f' with {told}' if told else ''}: {error} Make its builder "
                "take that, or name settings that it takes, after a colon."
            ) from error


@dataclass(frozen=True)
class Check:
    """One promise of a kind.

    Args:
        name: in one or two words, as reports and `--help` show it.
        promise: the sentence that it holds a component to.
        look: raises `Fault` or `NotDemanded`.
    """

    name: str
    promise: str
    look: Callable[[Subject], None]


@dataclass(frozen=True)
class Finding:
    """What one check found."""

    check: str
    state: State
    text: str = ""
    seconds: float = field(default=0.0, compare=False)


def promise(kind: Kind, name: str) -> Callable[[Callable[[Subject], None]], Callable[[Subject], None]]:
    """Add a function to the checks of a kind; the first line of its docstring is the promise."""

    def add(look: Callable[[Subject], None]) -> Callable[[Subject], None]:
        _CHECKS.setdefault(kind, []).append(Check(name, _first_line(inspect.getdoc(look)), look))
        return look

    return add


def checks_of(kind: Kind) -> tuple[Check, ...]:
    """The checks a kind goes through, in order."""
    for module in _MODULES[kind]:
        importlib.import_module(module)
    return tuple(_CHECKS.get(kind, ()))


def promises_of(kind: Kind) -> dict[str, str]:
    """Check → promise, as `checks_of` has them, read from their source: `--help` need not load torch."""
    found = {}
    for node in (node for module in _MODULES[kind] for node in _tree(module).body):
        if not isinstance(node, ast.FunctionDef):
            continue
        for call in node.decorator_list:
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "promise":
                of, name = (ast.literal_eval(argument) for argument in call.args)
                if of == kind:
                    found[name] = _first_line(ast.get_docstring(node))
    return found


def subject_of(kind: Kind, typed: str) -> Subject:
    """A component as typed.

    Raises:
        UsageError: an unknown name or parameter.
    """
    term = parse_term(typed)
    component: Component = registry().find(kind, term.name)
    return Subject(component, component.settings(term.parameters), typed)


def examine(subject: Subject) -> Iterator[Finding]:
    """What each check finds, one after the other. A check that fails in another way is a failure too."""
    for check in checks_of(subject.component.kind):
        began = time.monotonic()
        state: State = "passed"
        text = ""
        try:
            check.look(subject)
        except NotDemanded as reason:
            state, text = "skipped", str(reason)
        except Fault as fault:
            state, text = "failed", str(fault)
        except PASSED_ON:
            raise
        except BaseException as error:  # a component that ends the program ends its check alone
            state, text = "failed", one_line(error)
        yield Finding(check.name, state, text, time.monotonic() - began)


def _tree(module: str) -> ast.Module:
    spec = find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return ast.parse(Path(spec.origin).read_text(encoding="utf-8"))


def _first_line(docstring: str | None) -> str:
    return (docstring or "").partition("\n")[0]
