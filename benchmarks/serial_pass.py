"""A matrix of short runs, and whether a store made of it under hardship has the bits of a serial pass."""

import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from resume_torture import pictures

from srbench.prove.hashes import hashes


def matrix(seeds: int, steps: int, folder: Path) -> list[str]:
    """The options of `srbench run` for two losses and so many seeds of each.

    Args:
        seeds: of each loss.
        steps: of each run, which saves every 0.2 s.
        folder: for the pictures.
    """
    options = [
        "--model", "lapsrn:features=4,depth=1", "--loss", "charbonnier,l1", "--channels", "y",
        "--dataset", pictures(folder / "pictures"), "--batch", "4", "--patch", "16", "--precision", "fp32",
        "--metric", "psnr", "--steps", str(steps), "--eval-every", str(max(steps // 4, 1)),
        "--save-every", "0.2", "--device", "cpu",
    ]  # fmt: skip
    for seed in range(seeds):
        options += ["--seed", str(seed)]
    return options


@dataclass(frozen=True)
class Compared:
    """A store beside a serial pass of its runs: how many files that has, those that differ, its seconds."""

    files: int
    unequal: list[str]
    seconds: float


def against_serial_pass(
    options: list[str], store: Path, serial: Path, environment: Mapping[str, str]
) -> Compared:
    """Do the runs one after another in a store of their own, and compare every file of both.

    Args:
        options: of `matrix`.
        store: what was made under hardship.
        serial: where to put the serial pass.
        environment: of its process.
    """
    began = time.monotonic()
    command = [sys.executable, "-m", "srbench", "-q", "run", *options, "--results", str(serial)]
    subprocess.run(command, env=environment, check=True)
    seconds = time.monotonic() - began
    mine, theirs = hashes(store), hashes(serial)
    unequal = [name for name in sorted(mine.keys() | theirs.keys()) if mine.get(name) != theirs.get(name)]
    return Compared(len(theirs), unequal, seconds)
