"""What starting srbench takes: `--help` against Python itself, and the list of plugins with 50 more of them.

    python benchmarks/startup.py

All commands take turns, each in a process of its own, and medians are compared. The 50 plugins are
distributions with an entry point each, as an installer leaves them; each names a model, a loss and a metric
by import string. Goals: `srbench --help` within 0.3 s of `python -c pass`, and `srbench plugins list` within
0.5 s of what it takes without the 50. Seconds of the processor stand beside those of the clock, which on a
busy machine say more of the others that run there.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PLUGIN = '''"""What this package gives to srbench."""

from srbench.api import hookimpl


@hookimpl
def register_models(register):
    register("model_{number}", "many_{number}_network:build", scales=(2, 4))


@hookimpl
def register_losses(register):
    register("loss_{number}", "many_{number}_network:loss")


@hookimpl
def register_metrics(register):
    register("metric_{number}", "many_{number}_network:metric", better="higher")
'''


def install(path: Path, number: int) -> None:
    """One distribution with a plugin, on a path."""
    (path / f"many_{number}.py").write_text(PLUGIN.format(number=number), encoding="utf-8")
    info = path / f"many_{number}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: many-{number}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[srbench]\nmany_{number} = many_{number}\n")


def seconds(arguments: list[str], path: Path | None = None) -> tuple[float, float]:
    """How long a Python process takes, from its start to its end: by the clock, and of the processor."""
    paths = [*([str(path)] if path else []), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    before, began = os.times(), time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True, env=environment)
    took, after = time.perf_counter() - began, os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return took, spent


def main() -> None:
    """Print the medians, and the two differences beside their goals."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--plugins", type=int, default=50)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        for number in range(arguments.plugins):
            install(path, number)
        many = f"srbench plugins list, {arguments.plugins} more"
        commands: dict[str, tuple[list[str], Path | None]] = {
            "python -c pass": (["-c", "pass"], None),
            "srbench --help": (["-m", "srbench", "--help"], None),
            "srbench plugins list": (["-m", "srbench", "plugins", "list"], None),
            many: (["-m", "srbench", "plugins", "list"], path),
        }
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for turn in range(arguments.turns + 1):
            for name, (line, where) in commands.items():
                took = seconds(line, where)
                if turn:  # the first one compiles
                    taken[name].append(took)
    clock, processor = (
        {name: statistics.median(one[kind] for one in times) for name, times in taken.items()}
        for kind in (0, 1)
    )
    for name in commands:
        print(f"{name:30} {clock[name]:.3f} s, of the processor {processor[name]:.3f} s")
    for what, name, base, goal in (
        ("--help over Python", "srbench --help", "python -c pass", 0.3),
        (f"{arguments.plugins} plugins over none", many, "srbench plugins list", 0.5),
    ):
        print(
            f"{what}: {clock[name] - clock[base]:+.3f} s, of the processor "
            f"{processor[name] - processor[base]:+.3f} s; the goal is {goal} s"
        )


if __name__ == "__main__":
    main()
