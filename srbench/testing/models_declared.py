"""What is promised of that which a model names when it is registered: recipes, a reader, terms."""

import inspect
import tempfile
from pathlib import Path
from typing import Any

from srbench.components import Model, resolve
from srbench.errors import MetricUnavailable, SrbenchError, UsageError
from srbench.parameters import called_with
from srbench.patch import check_patch
from srbench.plan.settings import budget_of, fields_of, settings_of, try_out
from srbench.plan.terms import loss_terms
from srbench.testing.conformance import Fault, NotDemanded, Subject, promise
from srbench.testing.networks import (
    planes_seen,
    scales_of,
    spec_of,
)


@promise("model", "recipes")
def recipes(subject: Subject) -> None:
    """Each recipe names settings, a loss and an optimizer that there are, and a patch for some scale."""
    model: Model = subject.component
    if not model.recipes:
        raise NotDemanded("It has no recipes.")
    missing = []
    for name in model.recipes:
        refusals = []
        for scale in scales_of(model):
            try:
                settings = settings_of(model, subject.settings, scale, name, {})
                given = fields_of(settings, budget_of(settings))
                given["loss"] = loss_terms(settings["loss"], model.channels)
                changes = {**given, "channels": model.channels, "scale": scale}
                spec = spec_of(subject).model_copy(update=changes)
                try_out(spec)
            except UsageError as error:
                if isinstance(error.__cause__, MetricUnavailable):
                    missing.append(f"Recipe {name!r}: {error}")
                    continue
                raise Fault(f"Recipe {name!r} cannot be used at ×{scale}. {error}") from error
            try:
                check_patch(spec)
            except UsageError as error:
                refusals.append(str(error))
        if len(refusals) == len(scales_of(model)):
            raise Fault(f"Recipe {name!r} has no patch that any of its scales can have. {refusals[0]}")
    if missing:
        raise NotDemanded(missing[0])


@promise("model", "reader")
def reader(subject: Subject) -> None:
    """Its reader of weights files refuses what is none by a ValueError that says why."""
    model: Model = subject.component
    if model.reader is None:
        raise NotDemanded("It has no reader.")
    read = _resolved(model.reader, "reader")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.bin"
        path.write_bytes(b"no weights\n")
        offered = {
            "path": path,
            "planes": planes_seen(model),
            "scale": scales_of(model)[0],
            **subject.settings,
        }
        try:
            read(**called_with(read, offered))
        except (ValueError, SrbenchError) as refusal:
            if not str(refusal).strip():
                raise Fault(
                    "Its reader refuses a file without saying why. Give the ValueError a text."
                ) from refusal
        except Exception as error:
            raise Fault(
                f"Of a file that holds no weights, its reader says {type(error).__name__}: {error}. Catch "
                "what parsing raises, and raise ValueError with what is wrong with the file."
            ) from error
        else:
            raise Fault("Its reader takes a text file for weights. Raise ValueError where a file is none.")


@promise("model", "terms")
def terms(subject: Subject) -> None:
    """What it tells its users before use is text, with and without settings."""
    model: Model = subject.component
    if model.terms is None:
        raise NotDemanded("It tells nothing before use.")
    tell = _resolved(model.terms, "terms")
    of_run = {**subject.settings, "planes": planes_seen(model), "scale": scales_of(model)[0]}
    for available in ({}, of_run):
        told: Any = tell(**called_with(tell, available))
        if not isinstance(told, str):
            raise Fault(
                f"Its terms are {type(told).__name__}, not text. Return a str, empty where there are none."
            )


def _resolved(target: Any, name: str) -> Any:
    try:
        function = resolve(target)
    except (Exception, SystemExit) as error:
        raise Fault(
            f"Its {name} cannot be loaded from {target} ({type(error).__name__}: {error})."
        ) from error
    if not callable(function):
        raise Fault(f"Its {name} {target} is {type(function).__name__}, and no function.")
    inspect.signature(function)
    return function
