"""Keys and types of a suite file, held against its form: the mistakes, and what is left without them."""

import json
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from srbench.errors import did_you_mean
from srbench.suite.form import Form
from srbench.suite.located import Located, Place
from srbench.suite.mistakes import Mistake

_EXPECTED = {
    "string_type": "text in quotes",
    "string_too_short": "text that is not empty",
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "model_type": "a table",
    "tuple_type": "tables, each under its [[…]]",
    "empty_list": "one value, or a list of several",
    "greater_than": "a number above {gt:g}",
    "greater_than_equal": "a number from {ge:g}",
    "less_than": "a number below {lt:g}",
    "literal_error": "{expected}",
}
"""What pydantic says → what is expected, in words."""


def read_form(found: Located) -> tuple[Form, list[Mistake]]:
    """The form without what cannot be in it; places in `found` are those of what is left.

    Args:
        found: from `read_toml`; what is wrong is taken out of it.
    """
    mistakes = [Mistake(line, f"This is no TOML. {reason}.") for line, reason in found.faults]
    told: set[Place] = set()
    while True:
        try:
            return Form.model_validate(found.data), mistakes
        except ValidationError as error:
            # From the last to the first: what is taken out of a list moves those behind it.
            for place, errors in sorted(_by_place(error, found.data), key=_order, reverse=True):
                if place not in told:
                    mistakes.append(Mistake(found.line(place), _sentence(place, errors, found)))
                told.add(place)
                _drop(found, place)


def _order(item: tuple[Place, Any]) -> list[tuple[bool, Any]]:
    return [(isinstance(part, int), part) for part in item[0]]


def _by_place(error: ValidationError, data: Any) -> Iterator[tuple[Place, list[ErrorDetails]]]:
    """Errors by the place in the file; those of other branches of a union give way to those inside one."""
    places: dict[Place, list[ErrorDetails]] = {}
    for one in error.errors():
        places.setdefault(_place(one, data), []).append(one)
    for place, errors in places.items():
        if not any(len(other) > len(place) and other[: len(place)] == place for other in places):
            yield place, errors


def _place(error: ErrorDetails, data: Any) -> Place:
    """Where it is, without the names that pydantic gives to branches of a union."""
    place: Place = ()
    for number, part in enumerate(error["loc"]):
        is_last = number == len(error["loc"]) - 1
        is_key = isinstance(data, Mapping) and (part in data or (is_last and error["type"] == "missing"))
        if is_key or (isinstance(data, list) and isinstance(part, int) and part < len(data)):
            place = (*place, part)
            data = data[part] if not isinstance(data, Mapping) else data.get(str(part))
    return place


def _sentence(place: Place, errors: list[ErrorDetails], found: Located) -> str:
    key = next((str(part) for part in reversed(place) if isinstance(part, str)), "")
    if errors[0]["type"] == "missing":
        return f"{_table(place)} has no {key}. {_known(place[:-1])}"
    if errors[0]["type"] == "extra_forbidden":
        form = _form_at(place[:-1])
        homes = [f"[{name}]" for name in _tables() if key in _form_at((name,)).model_fields]
        hint = did_you_mean(key, form.model_fields)
        if not hint and homes:
            hint = f" It belongs to {' or '.join(homes)}."
        return f"{_table(place)} takes no {key!r}.{hint} {_known(place[:-1])}"
    expected = []
    for one in errors:
        words = _EXPECTED.get(one["type"])
        expected.append(words.format(**one.get("ctx", {})) if words else one["msg"])
    value: Any = found.data
    for part in place:
        value = value[part]
    return f"{key} is {_shown(value)}, and {' or '.join(dict.fromkeys(expected))} is expected."


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list) and value:
        return "a list"
    return "an empty list" if value == [] else json.dumps(value, ensure_ascii=False, default=str)


def _table(place: Place) -> str:
    """`[axes]`, `settings of [[when]]`, or the file itself: what a key stands in."""
    names = [str(part) for part in place[:-1] if isinstance(part, str)]
    if not names:
        return "A suite"
    head = f"[[{names[0]}]]" if any(isinstance(part, int) for part in place[:2]) else f"[{names[0]}]"
    return " of ".join([*reversed(names[1:]), head])


def _known(place: Place) -> str:
    return f"It takes: {', '.join(_form_at(place).model_fields)}."


def _tables() -> list[str]:
    """The tables of a suite that stand there once."""
    return [name for name, one in Form.model_fields.items() if isinstance(one.default, BaseModel)]


def _form_at(place: Place) -> type[BaseModel]:
    """The form of a table."""
    form: type[BaseModel] = Form
    for part in place:
        if isinstance(part, str):
            form = next(_forms(form.model_fields[part].annotation))
    return form


def _forms(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in typing.get_args(annotation):
        yield from _forms(part)


def _drop(found: Located, place: Place) -> None:
    """Take out what cannot be; with it the list that it leaves empty, or the table that lacks it."""
    around: Any = found.data
    for part in place[:-1]:
        around = around[part]
    last = place[-1]
    if isinstance(around, dict):
        if last not in around:
            _drop(found, place[:-1])
            return
        del around[last]
        return
    del around[last]
    if not around:
        _drop(found, place[:-1])
        return
    depth = len(place) - 1
    moved = {}
    for at, line in found.lines.items():
        number = at[depth] if len(at) > depth and at[:depth] == place[:-1] else -1
        if not isinstance(number, int) or number < int(last):
            moved[at] = line
        elif number > int(last):
            moved[(*at[:depth], number - 1, *at[depth + 1 :])] = line
    found.lines = moved
