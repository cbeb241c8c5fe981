"""The grammar of names on the command line and in suites.

    setting   := term ("+" term)*            "+" only joins weighted losses
    term      := [number "*"] name [":" key "=" value ("," key "=" value)*]
    list      := setting ("," setting)*      an item without "=" or with its own "name:" starts the next one

Values that hold a comma, a plus sign before a letter or a space are quoted with " or '.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from srbench.errors import UsageError

_TERM = re.compile(
    r"^(?:(?P<weight>[0-9.eE+-]+)\*)?(?P<name>[A-Za-z_][\w./-]*)(?::(?P<parameters>.*))?$", re.S
)
_KEY = re.compile(r"^\s*[A-Za-z_]\w*\s*=")
_JOIN = re.compile(r"\+(?=\s*(?:[0-9.]+(?:[eE][+-]?[0-9]+)?\*)?[A-Za-z])")


@dataclass(frozen=True)
class Term:
    """One component as typed: its name, the parameters given, and a weight for a sum of losses."""

    name: str
    parameters: dict[str, str] = field(default_factory=dict)
    weight: float = 1.0

    def __str__(self) -> str:
        weight = "" if self.weight == 1 else f"{self.weight:g}*"
        given = ",".join(f"{key}={quote(value)}" for key, value in self.parameters.items())
        return f"{weight}{self.name}" + (f":{given}" if given else "")


def split_list(texts: Sequence[str]) -> list[str]:
    """Repeated options and comma lists → one text a setting.

    `["charbonnier:eps=1e-6,reduction=sum,l1"]` → `["charbonnier:eps=1e-6,reduction=sum", "l1"]`.

    Raises:
        UsageError: a quote is not closed, or a `key=value` stands before any name.
    """
    settings: list[str] = []
    for text in texts:
        first = len(settings)
        for item in _split(text, re.compile(",")):
            if not item.strip():
                raise UsageError(f"{text!r} has an empty item. Remove the extra comma.")
            if _KEY.match(item):
                if len(settings) == first:
                    raise UsageError(
                        f"{item.strip()!r} in {text!r} belongs to no name. Write name:{item.strip()}, as in "
                        "charbonnier:eps=1e-3."
                    )
                joint = "," if ":" in _unquoted(_split(settings[-1], _JOIN)[-1]) else ":"
                settings[-1] = f"{settings[-1]}{joint}{item.strip()}"
            else:
                settings.append(item.strip())
    return settings


def parse_term(text: str) -> Term:
    """One `[number*]name[:key=value,…]`.

    Raises:
        UsageError: it is not of that form; the message quotes it.
    """
    match = _TERM.match(text.strip())
    if match is None:
        raise UsageError(f"{text!r} is not of the form name or name:key=value,key=value.")
    weight = 1.0
    if match["weight"]:
        try:
            weight = float(match["weight"])
        except ValueError as error:
            raise UsageError(f"{match['weight']!r} in {text!r} is not a number.") from error
    parameters: dict[str, str] = {}
    for item in _split(match["parameters"] or "", re.compile(",")) if match["parameters"] else ():
        key, equals, value = item.partition("=")
        key = key.strip()
        if not equals or not _KEY.match(item):
            raise UsageError(f"{item.strip()!r} in {text!r} is not of the form key=value.")
        if key in parameters:
            raise UsageError(f"{text!r} gives {key!r} twice.")
        parameters[key] = _unquote(value.strip())
    return Term(match["name"], parameters, weight)


def parse_sum(text: str) -> list[Term]:
    """`charbonnier+0.1*ffl:alpha=1` → its terms; `+` joins only before `[number*]letter`.

    Raises:
        UsageError: a term is not of the form `[number*]name[:key=value,…]`.
    """
    return [parse_term(part) for part in _split(text, _JOIN)]


def quote(value: str) -> str:
    """A value as it has to be typed: quoted where it holds a separator or a quote."""
    if not re.search(r"[,+\s'\"*]", value):
        return value
    mark = "'" if '"' in value else '"'
    return f"{mark}{value}{mark}"


def _split(text: str, separator: re.Pattern[str]) -> list[str]:
    """Split at `separator` outside of quotes."""
    parts: list[str] = []
    start = 0
    plain = _unquoted(text)
    for match in separator.finditer(plain):
        parts.append(text[start : match.start()])
        start = match.end()
    return [*parts, text[start:]]


def _unquoted(text: str) -> str:
    """`text` at the same length with every quoted stretch blanked, so that separators in it do not count."""
    result = []
    open_quote = ""
    for character in text:
        if open_quote:
            result.append("_")
            open_quote = "" if character == open_quote else open_quote
        elif character in "\"'":
            open_quote = character
            result.append("_")
        else:
            result.append(character)
    if open_quote:
        raise UsageError(f"{text!r} has a quote that is not closed.")
    return "".join(result)


def _unquote(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return value
