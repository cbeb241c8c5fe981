"""Whether a component can be checked as it is, without a setting that somebody names."""

import inspect

from srbench.components import Component
from srbench.errors import UsageError
from srbench.testing.builders import no_network
from srbench.testing.conformance import Fault, Subject


def left_out(component: Component, typed: str) -> str | None:
    """Why a component is not checked with its defaults alone, and what to type; None: it is checked.

    What cannot be loaded, or fails in another way than by refusing, is checked: its report says so.
    """
    try:
        parameters = component.parameters.values()
    except UsageError:
        return None
    needed = next((one.name for one in parameters if one.default is inspect.Parameter.empty), None)
    if needed is not None:
        return f"it needs a setting. Name it: srbench plugins check {typed}:{needed}=…"
    reason = _refusal(component)
    if reason is not None:
        return f"it refuses its own defaults ({reason}). Name what it takes: srbench plugins check {typed}:…"
    return None


def _refusal(component: Component) -> str | None:
    """Why its builder refuses the defaults of all its settings."""
    try:
        with no_network():
            subject = Subject(component, component.settings({}), component.name)
            if component.kind == "model":
                from srbench.testing.networks import build

                build(subject)
            elif component.kind in ("loss", "trainer", "degradation"):
                subject.make()
    except Fault as fault:
        refused = fault.__cause__.__cause__ if fault.__cause__ else None
        return " ".join(str(refused).split()).rstrip(".") if isinstance(refused, ValueError) else None
    except Exception:
        return None
    return None
