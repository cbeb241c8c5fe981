"""Parameters as typed → values, checked against a builder's own signature and annotations."""

import inspect
import typing
from collections.abc import Callable, Mapping, Set
from pathlib import Path
from types import UnionType
from typing import Any, Literal

from srbench.errors import UsageError, did_you_mean


def parameters_of(
    function: Callable[..., Any], given: Set[str] = frozenset()
) -> dict[str, inspect.Parameter]:
    """The parameters a user may set, in order, with resolved annotations.

    Args:
        function: the builder.
        given: parameters that srbench itself passes.
    """
    try:
        hints = typing.get_type_hints(function)
    except Exception:  # a name that is not there, alone or in a module; text that is no Python
        hints = {}
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {
        name: parameter.replace(annotation=hints.get(name, parameter.annotation))
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind in kinds and name not in given
    }


def checked(
    label: str, parameters: Mapping[str, inspect.Parameter], typed: Mapping[str, Any]
) -> dict[str, Any]:
    """`typed` checked and converted, defaults filled in.

    Args:
        label: what the messages call the component, such as `Loss 'charbonnier'`.
        parameters: from `parameters_of`.
        typed: name → value, text or already of its type.

    Raises:
        UsageError: an unknown, ill-typed or missing parameter; the message quotes what was typed.
    """
    for key in typed:
        if key not in parameters:
            known = ", ".join(parameters) or "none"
            raise UsageError(
                f"{label} has no parameter {key!r}.{did_you_mean(key, parameters)} It takes: {known}."
            )
    return {name: _value(label, parameter, typed) for name, parameter in parameters.items()}


def is_path(parameter: inspect.Parameter) -> bool:
    """Whether a parameter says where files lie, which is no part of what a run is."""
    annotation = parameter.annotation
    is_union = typing.get_origin(annotation) in (typing.Union, UnionType)
    return Path in (typing.get_args(annotation) if is_union else (annotation,))


def called_with(function: Callable[..., Any], available: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `available` that `function` asks for by parameter name; all of them for a `**kwargs`.

    Raises:
        UsageError: it asks for something else that has no default.
    """
    parameters = inspect.signature(function).parameters.values()
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters):
        return dict(available)
    for parameter in parameters:
        wanted = parameter.kind is not inspect.Parameter.VAR_POSITIONAL
        if wanted and parameter.name not in available and parameter.default is inspect.Parameter.empty:
            name = getattr(function, "__name__", type(function).__name__)
            raise UsageError(f"{name} asks for {parameter.name!r}, which is none of {', '.join(available)}.")
    return {one.name: available[one.name] for one in parameters if one.name in available}


def _value(label: str, parameter: inspect.Parameter, typed: Mapping[str, Any]) -> Any:
    if parameter.name not in typed:
        if parameter.default is inspect.Parameter.empty:
            raise UsageError(
                f"{label} needs a value for {parameter.name!r}; write {parameter.name}=… after its name."
            )
        return parameter.default
    import pydantic  # here: listing plugins converts nothing, and this takes longer than all they import

    value = typed[parameter.name]
    if parameter.annotation is inspect.Parameter.empty:
        return value
    # "none" and "null" are how an optional setting is switched off on a command line.
    optional = type(None) in typing.get_args(parameter.annotation)
    if optional and isinstance(value, str) and value.lower() in ("none", "null"):
        return None
    try:
        return pydantic.TypeAdapter(parameter.annotation).validate_python(value)
    except pydantic.ValidationError as error:
        raise UsageError(
            f"{label} cannot take {parameter.name}={value!s}: {error.errors()[0]['msg']}. "
            f"It wants {_type_name(parameter.annotation)}."
        ) from error
    except (pydantic.PydanticUserError, NameError, AttributeError, SyntaxError) as error:
        raise UsageError(
            f"{label} cannot take {parameter.name}={value!s}: its annotation "
            f"{_type_name(parameter.annotation)} is no type that text can be made into. This is a fault of "
            "that plugin."
        ) from error


def _type_name(annotation: Any) -> str:
    if typing.get_origin(annotation) is Literal:
        return "one of " + ", ".join(str(value) for value in typing.get_args(annotation))
    return getattr(annotation, "__name__", None) or str(annotation)
