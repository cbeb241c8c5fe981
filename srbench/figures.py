"""A matplotlib figure → a file, whole or not at all; which files it can be."""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from srbench.errors import StoreError, UsageError
from srbench.files import write_atomic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg", ".pdf")

_DPI = 150


def check_suffix(path: Path) -> None:
    """Refuse a name from which no kind of file follows: before anything is computed.

    Raises:
        UsageError: naming the kinds there are.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(
            f"{path} does not say what kind of picture it is to be. End its name in {' or '.join(SUFFIXES)}."
        )


def write_figure(path: Path, figure: "Figure", dpi: int = _DPI) -> None:
    """Draw `figure` into the file, of the kind its suffix says; the same figure gives the same bytes.

    A PDF holds its fonts, as outlines that programs can edit; an SVG its text as shapes, which look alike
    where the font is not there.

    Args:
        path: the file; its folder is made where needed.
        figure: drawn as it is.
        dpi: pixels an inch, of a PNG and of pictures in the others.

    Raises:
        StoreError: it cannot be written.
        UsageError: the suffix is none of `SUFFIXES`.
    """
    import matplotlib

    check_suffix(path)
    kind = path.suffix.lower().removeprefix(".")
    # No time of making, no random ids.
    metadata = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}[kind]
    buffer = io.BytesIO()
    rc: Any = {"svg.hashsalt": "srbench", "svg.fonttype": "path", "pdf.fonttype": 42}
    with matplotlib.rc_context(rc):
        figure.savefig(buffer, format=kind, dpi=dpi, metadata=metadata)
    try:
        write_atomic(path, buffer.getvalue())
    except StoreError as error:
        reason = error.__cause__.strerror if isinstance(error.__cause__, OSError) else error
        raise StoreError(
            f"{path} cannot be written ({reason}). Name a place that can be, or free some space there."
        ) from error
