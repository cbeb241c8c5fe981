"""The tutorial of docs/plugins/index.md, line by line, as its reader would: from nothing to a table."""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from installed import environment_with, say

PAGE = Path(__file__).parents[1] / "docs" / "plugins" / "index.md"
SMALL = ("--steps", "2", "--batch", "2", "--patch", "32", "--metric", "psnr", "--precision", "fp32")
"""What is given after a run's own options, and so goes before them."""


def blocks():
    """(language, text) of each, in order."""
    return re.findall(r"^```(sh|python)\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)


class Reader:
    """Does what the page says, below a folder."""

    def __init__(self, folder: Path) -> None:
        self.cwd = folder
        self.said = []

    def read(self, language: str, text: str) -> None:
        if language == "python":
            head, _, rest = text.partition("\n")
            path = self.cwd / head.removeprefix("# ")
            assert path.is_file(), f"{path} is to be replaced, and is not there"
            path.write_text(rest, encoding="utf-8")
            return
        lines = [shlex.split(line) for line in text.splitlines()]
        commands = [
            line[1:] + (list(SMALL) if line[1] == "run" else []) for line in lines if line[0] == "srbench"
        ]
        if commands:
            self.said = say(self.cwd, commands, self.cwd, SRBENCH_RESULTS=str(self.cwd / "results"))
            assert [one.code for one in self.said] == [0] * len(commands), self.said
        for program, *arguments in lines:
            match program:
                case "cd":
                    self.cwd = self.cwd / arguments[0]
                case "pip":
                    assert arguments == ["install", "-e", ".[dev]"]
                    self.install()
                case "pytest":
                    self.test()
                case _:
                    assert program == "srbench", f"the tutorial says {program}, which this test cannot do"

    def install(self) -> None:
        """What pip leaves of it, as far as srbench looks."""
        project = tomllib.loads((self.cwd / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        info = self.cwd / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
        points = "".join(
            f"{name} = {module}\n" for name, module in project["entry-points"]["srbench"].items()
        )
        (info / "entry_points.txt").write_text(f"[srbench]\n{points}")

    def test(self) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "pytest"],
            cwd=self.cwd,
            env=environment_with(self.cwd),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def read(folder, *, tested):
    reader = Reader(folder)
    for language, text in blocks():
        if tested or not text.startswith("pytest\n"):
            reader.read(language, text)
    return reader


def test_the_tutorial_ends_with_a_table_that_holds_the_author_s_model(tmp_path):
    """All but its tests, which take longer."""
    shown = read(tmp_path, tested=False).said[-1].out
    assert len(re.findall(r"^mynet:features=(?:24|48) +\d", shown, re.M)) == 2, shown
    runs = [path.parent.name for path in (tmp_path / "srbench-mynet").glob("results/mynet-*/summary.json")]
    assert len(runs) == 3, "the example's own, and two of the author's network"


@pytest.mark.slow
def test_all_of_the_tutorial_works(tmp_path):
    read(tmp_path, tested=True)
