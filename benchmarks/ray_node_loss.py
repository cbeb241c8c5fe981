"""A Ray cluster loses a node half-way: all runs finish, with the bits of a serial pass.

    python benchmarks/ray_node_loss.py

A cluster of a head without CPUs and two nodes of one CPU each, all on this machine, does a matrix of short
runs. When half of them are done and a run of the second node has saved a checkpoint, all processes of that
node are killed. Then the same matrix is trained by the executor `local` with one thread, and the hashes of
both stores are compared. Exit code 1 where a run failed, none had to move, or any file differs.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from serial_pass import against_serial_pass, matrix

_PATIENCE_S = 1200.0


@dataclass(frozen=True)
class Lost:
    """What came of it.

    Args:
        code: of the command.
        done: how many runs were finished, the baseline among them, when the node was killed, and of how many.
        moved: runs that went on in another process, and the step of the checkpoint that was there.
        files: how many were compared.
        unequal: those that differ from the serial pass.
        seconds: that it took, and that the serial pass took.
    """

    code: int
    done: tuple[int, int]
    moved: dict[str, int]
    files: int
    unequal: list[str]
    seconds: tuple[float, float]

    @property
    def is_sound(self) -> bool:
        """Whether all is as it is promised."""
        return not self.code and bool(self.moved) and bool(self.files) and not self.unequal


def lose_a_node(seeds: int, steps: int, folder: Path) -> Lost:
    """Train a matrix on a cluster that loses a node, and by one command alone.

    Args:
        seeds: of each of two losses: half of the runs.
        steps: of each run.
        folder: for all that is written.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    options = matrix(seeds, steps, folder)
    total = 2 * seeds + 1
    store, serial = folder / "ray", folder / "serial"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        cluster.add_node(num_cpus=1)
        victim = cluster.add_node(num_cpus=1)
        raylet = psutil.Process(victim.all_processes["raylet"][0].process.pid)
        began = time.monotonic()
        command = subprocess.Popen(
            [
                sys.executable, "-m", "srbench", "run", *options, "--results", str(store),
                "--executor", f"ray:address={cluster.address}",
            ],
            env=environment,
        )  # fmt: skip
        moved: dict[str, int] = {}
        while command.poll() is None and time.monotonic() - began < _PATIENCE_S and not moved:
            time.sleep(0.05)
            done = _done(store)
            if 2 * done >= total:
                moved = _at_work_under(raylet, store, steps // 2)
        if moved:
            for process in [raylet, *raylet.children(recursive=True)]:  # all of it, as when power fails
                process.kill()
        code = command.wait(timeout=_PATIENCE_S)
        seconds = time.monotonic() - began
    finally:
        cluster.shutdown()
    found = against_serial_pass(options, store, serial, environment)
    moved = {run: step for run, step in moved.items() if _processes(store / run) > 1}
    return Lost(code, (done, total), moved, found.files, found.unequal, (seconds, found.seconds))


def _done(store: Path) -> int:
    """How many runs are finished."""
    found = 0
    for path in store.glob("*/run.json"):
        with suppress(OSError, ValueError):  # being written
            found += json.loads(path.read_text())["status"] == "done"
    return found


def _at_work_under(raylet: psutil.Process, store: Path, most: int) -> dict[str, int]:
    """Runs of a node that have saved, and are in their first `most` steps: the last checkpoint's of each."""
    found: dict[str, int] = {}
    with suppress(psutil.NoSuchProcess):
        children = {one.pid for one in raylet.children(recursive=True)}
        for path in store.glob("*/run.lock.json"):
            with suppress(OSError, ValueError):  # given up, or not yet whole, meanwhile
                saved = sorted(path.parent.glob("checkpoints/step-*"))
                step = int(saved[-1].name.removeprefix("step-")) if saved else 0
                if json.loads(path.read_text())["pid"] in children and 0 < step <= most:
                    found[path.parent.name] = step
    return found


def _processes(run: Path) -> int:
    """How many processes have worked on a run: each begins its part of the log with a line of its own."""
    return sum(" process " in line for line in (run / "run.log").read_text().splitlines())


def main() -> None:
    """Print what came of it in one line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3, help="of each of two losses")
    parser.add_argument("--steps", type=int, default=200, help="of each run")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = lose_a_node(asked.seeds, asked.steps, Path(folder))
    moved = ", ".join(f"{run} from step {step:,}" for run, step in found.moved.items())
    print(
        f"{'SOUND' if found.is_sound else 'UNSOUND'}: a node was killed when {found.done[0]} of "
        f"{found.done[1]} runs were done; exit code {found.code}; moved: {moved or 'none'}; "
        f"{found.files - len(found.unequal)} of {found.files} files are those of the serial pass, in "
        f"{found.seconds[0]:.0f} s against {found.seconds[1]:.0f} s"
    )
    sys.exit(0 if found.is_sound else 1)


if __name__ == "__main__":
    main()
