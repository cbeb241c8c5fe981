"""What a page carries inside itself: data, scripts and styles, none of which can end the element it is in."""

import base64
import hashlib
import json
import math
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from markupsafe import Markup
from numpy.typing import NDArray

_ASSETS = files(__package__) / "assets"


def island(value: Any) -> Markup:
    """JSON for a `<script type="application/json">`: markup in its texts is text."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def asset(name: str) -> str:
    """A script or style of the page's own."""
    return (_ASSETS / name).read_text(encoding="utf-8")


def plotly() -> str:
    """plotly.js, as the Python package plotly brings it."""
    return (files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8")


def script(text: str) -> Markup:
    """The text of a `<script>`, which must not end it.

    `<\\/` is `</` in a string or a regular expression of JavaScript, and stands nowhere else.
    """
    return Markup(text.replace("</script", "<\\/script").replace("<!--", "<\\!--"))


def policy(scripts: Sequence[str]) -> str:
    """The Content-Security-Policy: nothing from elsewhere, and no script but these."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in scripts
    )
    return (
        "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; "
        f"script-src {hashes}; base-uri 'none'; form-action 'none'"
    )


def rounded(values: "NDArray[Any] | Sequence[float]", digits: int = 5) -> list[float | int | None]:
    """Numbers for a chart, to so many digits; None where there is none."""
    return [_number(float(value), digits) for value in values]


def _number(value: float, digits: int) -> float | int | None:
    if not math.isfinite(value):
        return None
    short = float(f"{value:.{digits}g}")
    return int(short) if short.is_integer() else short
