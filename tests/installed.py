"""Distributions as an installer leaves them on a path, and command lines in a process that finds them."""

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple


def install(path: Path, dist: str, modules: Mapping[str, str], *points: str, requires: str = "") -> None:
    """Put a distribution of version 1.0 on a path.

    Args:
        path: the folder.
        dist: its name.
        modules: name → text.
        points: lines of its entry points; none: one of the distribution's name for each module.
        requires: of its metadata, where it asks for something.
    """
    for name, text in modules.items():
        (path / f"{name}.py").write_text(textwrap.dedent(text), encoding="utf-8")
    info = path / f"{dist.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    asked = f"Requires-Dist: {requires}\n" if requires else ""
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist}\nVersion: 1.0\n{asked}")
    lines = points or [f"{dist} = {name}" for name in modules]
    (info / "entry_points.txt").write_text("\n".join(["[srbench]", *lines, ""]))


class Said(NamedTuple):
    """What a command line came to."""

    code: int
    out: str
    err: str


_DRIVER = """
import contextlib, io, json, sys
from srbench.cli.app import main

said = []
for line in json.load(sys.stdin):
    sys.argv = ["srbench", *line]
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
    said.append((code, out.getvalue(), err.getvalue()))
json.dump(said, sys.stdout)
"""


def say(
    path: Path,
    lines: Sequence[Sequence[str]],
    cwd: Path,
    python: str | Path = sys.executable,
    **environment: str,
) -> list[Said]:
    """Command lines, one after another in one new process that has `path` among its packages."""
    done = subprocess.run(
        [str(python), "-c", _DRIVER],
        input=json.dumps(lines), cwd=cwd, capture_output=True, text=True,
        env=environment_with(path, **environment),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [Said(*one) for one in json.loads(done.stdout)]


def environment_with(path: Path, **more: str) -> dict[str, str]:
    """This process's environment, with packages on `path` and room for messages on one line."""
    paths = [str(path), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "COLUMNS": "400", **more}
