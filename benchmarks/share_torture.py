"""Many commands on one store, one of them killed every few seconds: each run is finished, and exactly once.

    python benchmarks/share_torture.py

Eight commands of one matrix of 40 short runs share a folder. Every few seconds one that is at work on a run
is killed by SIGKILL and begun again, until so many kills were made; then all are left to end. A plugin,
noting.py, in a temporary folder on the import path, notes which process starts, steps and finishes each run.
Then the same matrix is trained by one command alone, and the hashes of both stores are compared. Exit code 1
where a run was finished twice or never, two trained one at a time, a command failed, or any file differs.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import noting
import psutil
from resume_torture import install
from serial_pass import against_serial_pass, matrix


@dataclass(frozen=True)
class Shared:
    """What came of it.

    Args:
        runs: of the matrix, the baseline among them.
        finished: run → how often it was finished.
        failed: how many runs failed, in any process.
        handed_over: how many runs more than one process trained, one after another.
        at_once: runs that two processes trained at a time.
        kills: how many there were.
        codes: exit codes of the commands that were left alone.
        files: how many were compared.
        unequal: those that differ from the serial pass.
        seconds: that it took, and that the serial pass took.
    """

    runs: int
    finished: Counter[str]
    failed: int
    handed_over: int
    at_once: list[str]
    kills: int
    codes: list[int]
    files: int
    unequal: list[str]
    seconds: tuple[float, float]

    @property
    def is_sound(self) -> bool:
        """Whether all is as it is promised."""
        once = len(self.finished) == self.runs and set(self.finished.values()) == {1}
        return once and not (self.failed or self.at_once or self.unequal or any(self.codes))


def share(commands: int, seeds: int, steps: int, kills: int, every_s: float, folder: Path) -> Shared:
    """Train a matrix by many commands under kills, and by one alone.

    Args:
        commands: at a time.
        seeds: of each of two losses: half of the runs.
        steps: of each run.
        kills: in all.
        every_s: seconds between kills.
        folder: for all that is written.
    """
    install(folder / "plugins", "noting", noting.SOURCE.read_text())
    options = matrix(seeds, steps, folder)
    draw = random.Random(0)
    store, notes = folder / "shared", folder / "notes"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "NOTES": str(notes)}

    def begin() -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "srbench", "-q", "run", *options, "--results", str(store)],
            env=environment, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    began = time.monotonic()
    working = [begin() for _ in range(commands)]
    killed = 0
    codes: list[int] = []
    while working:
        pause_until = time.monotonic() + every_s
        while time.monotonic() < pause_until and any(one.poll() is None for one in working):
            time.sleep(0.05)
        ended = [one for one in working if one.poll() is not None]
        for one in ended:
            codes.append(one.returncode)
            if one.returncode:
                print(one.communicate()[1], file=sys.stderr)
        working = [one for one in working if one not in ended]
        at_work = [one for one in working if one.pid in _ancestors(store)]
        if at_work and killed < kills:
            victim = draw.choice(at_work)
            victim.kill()
            victim.communicate()
            killed += 1
            working[working.index(victim)] = begin()
    shared_s = time.monotonic() - began

    told = [words.split() for words in notes.read_text().splitlines()]
    finished = Counter(run for what, run, _ in told if what == "finished")
    at_once, handed_over = [], 0
    for run in finished:
        pids = [pid for what, one, pid in told if one == run and what in ("started", "step")]
        turns = [pid for number, pid in enumerate(pids) if not number or pid != pids[number - 1]]
        handed_over += len(turns) > 1
        if len(turns) > len(set(turns)):  # one came back to a run that another had begun to train
            at_once.append(run)
    alone = {**environment, "NOTES": str(folder / "alone")}
    compared = against_serial_pass(options, store, folder / "serial", alone)
    return Shared(
        2 * seeds + 1, finished, sum(what == "failed" for what, _, _ in told), handed_over, at_once, killed,
        codes, compared.files, compared.unequal, (shared_s, compared.seconds),
    )  # fmt: skip


def _ancestors(store: Path) -> set[int]:
    """Of the processes that hold a run now, those that started them."""
    found: set[int] = set()
    for path in store.glob("*/run.lock.json"):
        with suppress(OSError, ValueError, psutil.Error):  # given up, or not yet whole, meanwhile
            found |= {one.pid for one in psutil.Process(json.loads(path.read_text())["pid"]).parents()}
    return found


def main() -> None:
    """Print what came of it in one line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--commands", type=int, default=8, help="at a time")
    parser.add_argument("--seeds", type=int, default=20, help="of each of two losses")
    parser.add_argument("--steps", type=int, default=200, help="of each run")
    parser.add_argument("--kills", type=int, default=20, help="in all")
    parser.add_argument("--every", type=float, default=4.0, metavar="SECONDS", help="between kills")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = share(asked.commands, asked.seeds, asked.steps, asked.kills, asked.every, Path(folder))
    once = sum(count == 1 for count in found.finished.values())
    print(
        f"{'SOUND' if found.is_sound else 'UNSOUND'}: {once} of {found.runs} runs were finished exactly once "
        f"by {asked.commands} commands with {found.kills} kills ({found.handed_over} were handed over, "
        f"{len(found.at_once)} trained by two at a time, {found.failed} failed); exit codes "
        f"{sorted(set(found.codes))}; {found.files - len(found.unequal)} of {found.files} files are those "
        f"of the serial pass, in {found.seconds[0]:.0f} s against {found.seconds[1]:.0f} s"
    )
    sys.exit(0 if found.is_sound else 1)


if __name__ == "__main__":
    main()
