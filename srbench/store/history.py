"""history.jsonl and timings.jsonl: one line an evaluation, cut back to the checkpoint on resume."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from srbench.files import cannot_write, canonical_json, write_atomic


def append_line(path: Path, line: Mapping[str, Any]) -> None:
    """Add one line and make it durable.

    Raises:
        StoreError: the file cannot be written.
    """
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(canonical_json(line) + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise cannot_write(path, error) from error


def read_lines(path: Path) -> list[dict[str, Any]]:
    """All whole lines; one that a crash cut short ends the file."""
    if not path.exists():
        return []
    lines: list[dict[str, Any]] = []
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            lines.append(json.loads(text))
        except ValueError:
            break
    return lines


def truncate(path: Path, step: int) -> None:
    """Drop the lines past `step`: what a resumed run will compute again, to the same bits."""
    lines = read_lines(path)
    kept = [line for line in lines if line["step"] <= step]
    text = "".join(canonical_json(line) + "\n" for line in kept)
    if path.exists() and path.read_text(encoding="utf-8") != text:
        write_atomic(path, text.encode())
