"""Environments of their own, into which packages are installed with nothing downloaded."""

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path


def tool(name: str) -> str:
    """A program that is installed beside this Python, or on the path."""
    found = shutil.which(name, path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    assert found, f"{name} is not installed"
    return found


def new_environment(root: Path) -> Path:
    """Make one that sees what is installed here, torch too, and can have packages of its own.

    Returns:
        Its Python.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(root)], check=True)
    (packages,) = root.glob("lib/python*/site-packages")
    here = sysconfig.get_path("purelib")
    (packages / "here.pth").write_text(f"import site; site.addsitedir({here!r})\n")
    return root / "bin" / "python"


def install(python: Path, *packages: Path) -> float:
    """Editable, with nothing downloaded; returns its seconds."""
    began = time.monotonic()
    subprocess.run(
        [
            sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-index",
            "--no-deps", "--no-build-isolation", "--disable-pip-version-check",
            *(part for package in packages for part in ("-e", str(package))),
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    return time.monotonic() - began


def run(python: Path, line: str, cwd: Path, shared: Path) -> float:
    """One line of a CI file, as it would be in the environment; returns its seconds.

    Args:
        python: of the environment.
        line: a program that is a module of Python's, or ruff, with its arguments.
        cwd: where.
        shared: where mypy keeps what it has found out, from one line to the next.
    """
    program, *arguments = shlex.split(line)
    before = [tool("ruff")] if program == "ruff" else [str(python), "-m", program]
    variables = {"MYPY_CACHE_DIR": str(shared / "mypy"), "OMP_NUM_THREADS": "1"}
    began = time.monotonic()
    done = subprocess.run(
        [*before, *arguments], cwd=cwd, capture_output=True, text=True, env={**os.environ, **variables}
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    return time.monotonic() - began
