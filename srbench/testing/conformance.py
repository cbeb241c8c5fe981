"""The suite that every component of a kind goes through: `srbench plugins check`, and authors' own tests.

A check is a function that takes a `Subject`. It returns when the promise is kept, raises `Fault` with advice
where it is not, and `NotDemanded` with the reason where the component never gave that promise. Checks look at
what a component declared when it was registered, never at its name.
"""

import importlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from srbench.components import Component, Kind
from srbench.grammar import parse_term
from srbench.registry import registry

State = Literal["passed", "failed", "skipped"]

_MODULES: Mapping[Kind, str] = {
    "model": "srbench.testing.models",
    "loss": "srbench.testing.losses",
    "trainer": "srbench.testing.trainers",
    "dataset": "srbench.testing.datasets",
    "metric": "srbench.testing.metrics",
    "degradation": "srbench.testing.degradations",
}
"""Kind → the module whose checks it goes through, imported when one of that kind is checked."""

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
        text = (look.__doc__ or "").strip().partition("\n")[0]
        _CHECKS.setdefault(kind, []).append(Check(name, text, look))
        return look

    return add


def checks_of(kind: Kind) -> tuple[Check, ...]:
    """The checks a kind goes through, in order."""
    importlib.import_module(_MODULES[kind])
    return tuple(_CHECKS.get(kind, ()))


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
        except Exception as error:
            state, text = "failed", f"{type(error).__name__}: {error}"
        yield Finding(check.name, state, text, time.monotonic() - began)
