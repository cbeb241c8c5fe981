"""A suite file → the runs it spans and how they are scored, or all its mistakes."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from srbench.errors import UsageError
from srbench.files import read_regular
from srbench.plan import plan, together
from srbench.plan.matrix import Matrix
from srbench.suite.combinations import Combinations
from srbench.suite.located import read_toml
from srbench.suite.mistakes import Mistake, Report
from srbench.suite.structure import read_form
from srbench.suite.values import matrix_of, options_of


@dataclass(frozen=True)
class Suite:
    """What a suite file says.

    Args:
        path: the file, as typed.
        sha256: of its bytes.
        matrix: its runs.
        options: how they are scored and how a sitting goes, by the names of options.
        absent: what it names that is not on this machine, such as a folder of pictures.
    """

    path: Path
    sha256: str
    matrix: Matrix
    options: Mapping[str, Any]
    absent: tuple[Mistake, ...] = ()

    @property
    def provenance(self) -> dict[str, str]:
        """What runs record of it; it is no part of what they are."""
        return {"file": self.path.name, "sha256": self.sha256}

    def run_ids(self) -> set[str]:
        """The ids of its runs, and of the baselines beside them.

        Raises:
            UsageError: a dataset that it names is not on this machine.
        """
        requests = self.matrix.requests(self.options.get("test", ()))
        return {job.spec.id for job in together(plan(one) for one in requests)}


class SuiteError(UsageError):
    """A suite file has mistakes; the message has a line for each, `FILE:LINE: what is wrong`."""

    def __init__(self, path: Path, mistakes: Sequence[Mistake]) -> None:
        self.path, self.mistakes = path, tuple(sorted(mistakes))
        count = "a mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        super().__init__("\n".join([f"{path} has {count}:", *lines_of(path, mistakes)]))


def lines_of(path: Path, mistakes: Sequence[Mistake]) -> list[str]:
    """`FILE:LINE: what is wrong`, in the order of lines."""
    return [f"{path}:{one.line}: {one.text}" for one in sorted(mistakes)]


def read_suite(path: str | os.PathLike[str]) -> Suite:
    """Read and check a suite file.

    Raises:
        UsageError: it is not there, or cannot be read.
        SuiteError: it has mistakes; all of them are told.
    """
    path = Path(path)
    try:
        content = read_regular(path)
    except OSError as error:
        raise UsageError(
            f"There is no suite to read at {path} ({error.strerror or error}). Name a file such as "
            "benchmarks/quick.toml."
        ) from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise SuiteError(path, [Mistake(line, "This is no UTF-8 text. Save the file as UTF-8.")]) from error
    found = read_toml(text)
    form, mistakes = read_form(found)
    report = Report(found, mistakes)
    folder = path.absolute().parent
    matrix, options = matrix_of(form, report, folder), options_of(form, report, folder)
    if any("model" in one for one in (matrix.axes, *matrix.include)):
        Combinations(form, matrix, report, folder).check(options.get("test"))
    elif not report.mistakes:  # else it may be what could not be read
        report.wrong(("axes",), 'No model is named. Write model = "lapsrn" in [axes], or a list of several.')
    if report.mistakes:
        raise SuiteError(path, report.mistakes)
    return Suite(path, hashlib.sha256(content).hexdigest(), matrix, options, tuple(sorted(report.absent)))
