"""Where a page is written: what can be no place for it, said before any work is done, and the writing."""

import os
import stat
from pathlib import Path

from srbench.errors import StoreError, UsageError
from srbench.files import write_atomic
from srbench.report.page import Page


def check_place(file: Path) -> None:
    """Refuse a place that no page can be written to.

    Raises:
        StoreError: its folder cannot be written.
        UsageError: there is something that is no file.
    """
    if file.is_dir():
        raise UsageError(f"{file} is a folder. Name a file: -o {file / 'report.html'}.")
    if file.exists() and not stat.S_ISREG(file.stat().st_mode):
        raise UsageError(f"{file} is no file that a page can take the place of. Name another one: -o FILE.")
    folder = next(one for one in file.absolute().parents if one.exists())
    if not folder.is_dir():
        raise _cannot(file, f"{folder} is no folder")
    if not os.access(folder, os.W_OK):
        raise _cannot(file, f"{folder} may not be written")


def write_page(file: Path, page: Page, reload_s: float | None = None) -> int:
    """Write the page whole or not at all, and give its size in bytes; a link is followed.

    Args:
        file: where to.
        page: what.
        reload_s: as in `Page.html`.

    Raises:
        StoreError: it cannot be written; what was there is untouched.
    """
    content = page.html(reload_s).encode()
    try:
        write_atomic(file.resolve(), content)
    except StoreError as error:
        cause = error.__cause__
        raise _cannot(file, getattr(cause, "strerror", None) or str(cause)) from error
    return len(content)


def _cannot(file: Path, why: str) -> StoreError:
    return StoreError(
        f"The page cannot be written to {file} ({why}). Free some space, or name another place by -o FILE."
    )
