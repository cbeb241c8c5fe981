"""TOML text → its values, with the line that each stands in, past every mistake."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Place: TypeAlias = tuple[str | int, ...]
"""Keys and indices that lead to a value: `("axes", "loss", 1)`."""

_STATEMENT = re.compile(r"""\s*(\[|[\w"'.-]+\s*=)""")
_WHERE = re.compile(r" \(at (?:line \d+, column \d+|end of document)\)$")


@dataclass
class Located:
    """What a TOML file says.

    Args:
        data: the values; statements that are no TOML are left out.
        lines: place → number of its line, from 1.
        faults: line and reason of each statement that is left out.
    """

    data: dict[str, Any] = field(default_factory=dict)
    lines: dict[Place, int] = field(default_factory=dict)
    faults: list[tuple[int, str]] = field(default_factory=list)

    def line(self, place: Place) -> int:
        """The line of a place, or else of the nearest one around it; 1 for the file itself."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)


def read_toml(text: str) -> Located:
    """Every statement is read by itself, so that one that is broken does not hide those behind it."""
    found = Located()
    inside: Place | None = ()
    for line, statement in _statements(text):
        try:
            read = tomllib.loads(statement)
        except tomllib.TOMLDecodeError as error:
            found.faults.append(
                (line, f"{_WHERE.sub('', str(error))}: {statement.strip().splitlines()[0]!r}")
            )
            if statement.lstrip().startswith("["):
                inside = None  # what follows belongs to a table whose name cannot be read
            continue
        try:
            if statement.lstrip().startswith("["):
                inside = None
                inside = _open(found, read, line)
            elif inside is not None:
                lines = dict(_element_lines(statement, line))
                _merge(found, _at(found.data, inside), read, inside, line, lines)
        except ValueError as error:
            found.faults.append((line, str(error)))
    if not found.faults:
        _check_whole(found, text)
    return found


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Each statement with the number of its first line: the fewest lines from there that are TOML.

    Where no number of lines is, it ends before the next line that looks like the beginning of one.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    number = 0
    while number < len(lines):
        if not lines[number].strip() or lines[number].lstrip().startswith("#"):
            number += 1
            continue
        ends = range(number + 1, len(lines) + 1)
        end = next((end for end in ends if _is_toml("\n".join(lines[number:end]))), None)
        if end is None:
            nexts = (one for one in range(number + 1, len(lines)) if _STATEMENT.match(lines[one]))
            end = next(nexts, len(lines))
        yield number + 1, "\n".join(lines[number:end])
        number = end


def _is_toml(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


def _open(found: Located, read: dict[str, Any], line: int) -> Place:
    """The place of the table that a header names, made where it is not there."""
    table: Any = found.data
    place: Place = ()
    while True:
        ((key, inner),) = read.items()
        place = (*place, key)
        if isinstance(inner, list) and inner == [{}]:
            rows = table.setdefault(key, [])
            if not isinstance(rows, list):
                raise ValueError(
                    f"[[{key}]] and [{key}] are two things; {key} began in line {found.line(place)}"
                )
            rows.append({})
            found.lines.setdefault(place, line)
            place = (*place, len(rows) - 1)
            found.lines[place] = line
            return place
        is_last = inner == {}
        if is_last and key in table:
            name = ".".join(map(str, place))
            found.faults.append((line, f"[{name}] stands twice; first in line {found.line(place)}"))
        table = table.setdefault(key, {})
        found.lines.setdefault(place, line)
        if isinstance(table, list) and table and not is_last:  # below the row that was begun last
            place, table = (*place, len(table) - 1), table[-1]
        if not isinstance(table, dict):
            raise ValueError(f"{key} is no table; it began in line {found.line(place)}")
        if is_last:
            return place
        read = inner


def _at(data: Any, place: Place) -> Any:
    for part in place:
        data = data[part]
    return data


def _merge(
    found: Located, table: Any, read: dict[str, Any], place: Place, line: int, elements: dict[int, int]
) -> None:
    for key, value in read.items():
        at = (*place, key)
        if key in table and isinstance(table[key], dict) and isinstance(value, dict):
            _merge(found, table[key], value, at, line, elements)
            continue
        if key in table:
            raise ValueError(f"{key} is given twice; first in line {found.line(at)}")
        table[key] = value
        _note(found, value, at, line, elements)


def _note(found: Located, value: Any, place: Place, line: int, elements: dict[int, int]) -> None:
    found.lines[place] = line
    if isinstance(value, dict):
        for key, inner in value.items():
            _note(found, inner, (*place, key), line, elements)
    if isinstance(value, list):
        for number, inner in enumerate(value):
            _note(found, inner, (*place, number), elements.get(number, line), {})


def _element_lines(statement: str, first: int) -> Iterator[tuple[int, int]]:
    """Of an array over several lines, the line in which each element ends."""
    lines = statement.split("\n")
    known = 0
    for number in range(len(lines)) if len(lines) > 1 else ():
        try:
            read: Any = tomllib.loads("\n".join([*lines[: number + 1], "]"]))
        except tomllib.TOMLDecodeError:
            read = None
        if number == len(lines) - 1:
            read = tomllib.loads(statement)
        read = _only_value(read)
        if isinstance(read, list):
            for element in range(known, len(read)):
                yield element, first + number
            known = max(known, len(read))


def _only_value(read: Any) -> Any:
    while isinstance(read, dict) and len(read) == 1:
        (read,) = read.values()
    return read


def _check_whole(found: Located, text: str) -> None:
    """Statements that are sound one by one may still not go together."""
    try:
        found.data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        found.faults.append((int(line[1]) if line else 1, _WHERE.sub("", str(error))))
