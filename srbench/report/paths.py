"""A page is sent to others, to whom folders of the machine it was made on are of no use, and no business."""

import re
from pathlib import Path, PurePosixPath, PureWindowsPath


def portable(word: str) -> str:
    """A word of a command with the last part of each absolute path alone.

    `set5:root=/home/ann/data/set5` → `set5:root=set5`; so do words of `srbench.run`, which are Python's.
    """
    return "".join(map(_last, re.split(r"([=,'\"()])", word)))


def without_home(text: str) -> str:
    """A sentence with `~` for this user's home folder."""
    home = str(Path.home())
    return re.sub(rf"{re.escape(home)}(?=[/\\]|\b)", "~", text) if len(home) > 1 else text


def _last(part: str) -> str:
    if PurePosixPath(part).is_absolute() or part.startswith("~/"):
        return PurePosixPath(part).name or part
    return PureWindowsPath(part).name if PureWindowsPath(part).is_absolute() else part
