"""Exact resume under many kills: a matrix of everything that has state, each run against one left alone.

    python benchmarks/resume_torture.py --kills 100

A model with batch norm (buffers that training moves) and dropout (which draws), with a moving average of its
weights, as one network on RGB and as three on r, g and b, by each optimizer. It comes from a plugin of its
own, in a temporary folder on the import path. Kills are shared out between the runs, and each is put through
what srbench prove-resume does. Exit code 1 where any file differs.
"""

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from PIL import Image
from skimage import data

from srbench.prove import prove
from srbench.prove.show import PHASES, to_text

CHANNELS = ("rgb", "r,g,b")
OPTIMIZERS = ("adam", "adamw", "sgd:momentum=0.9,weight_decay=1e-4")

NOISY = '''"""A model with all that a network can keep: weights, buffers, and noise that it draws."""

from srbench.api import hookimpl


@hookimpl
def register_models(register):
    """Name it."""
    register("noisy", build)


def build(planes, scale):
    """Batch norm and dropout around two convolutions."""
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(planes, 8, 3, padding=1), nn.BatchNorm2d(8), nn.Dropout2d(0.2),
        nn.Conv2d(8, planes * scale**2, 3, padding=1), nn.PixelShuffle(scale),
    )
'''


def install(folder: Path, name: str, source: str) -> None:
    """Make a one-file plugin of that name, found by every process with `folder` on PYTHONPATH."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / f"{name}.py").write_text(source)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[srbench]\n{name} = {name}\n")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])


def pictures(root: Path) -> str:
    """Crops of photographs under `root`, small enough that start-up is most of a sitting; as it is typed."""
    crops = {
        "train": data.coffee()[100:164, 200:264],
        "val": data.chelsea()[100:148, 100:156],
        "test": data.astronaut()[60:124, 180:236],
    }
    for half, pixels in crops.items():
        (root / half).mkdir(parents=True)
        Image.fromarray(pixels).save(root / half / "crop.png")
    return "folder:" + ",".join(f"{half}={root / half}" for half in crops)


def torture(kills: int, steps: int, matrix: Sequence[tuple[str, str]], folder: Path) -> bool:
    """Prove every run of the matrix, print what came of it, and say whether all files were equal."""
    install(folder / "plugins", "noisy", NOISY)
    dataset = pictures(folder / "pictures")
    phases: Counter[str] = Counter()
    files = equal = saving = late = 0
    all_equal = True
    began = time.monotonic()
    for number, (channels, optimizer) in enumerate(matrix):
        share = kills // len(matrix) + (number < kills % len(matrix))
        run = [
            "--model", "noisy", "--loss", "charbonnier", "--dataset", dataset, "--channels", channels,
            "--optimizer", optimizer, "--ema", "0.9", "--batch", "4", "--patch", "16", "--lr", "1e-3",
        ]  # fmt: skip
        stores = folder / str(number)
        stores.mkdir()
        proof = prove(run, steps, share, stores, lambda: None, seed=number, quiet=True)
        print(f"{channels}, {optimizer}", to_text(proof, None), sep="\n", flush=True)
        phases += proof.kills
        saving, late = saving + proof.while_saving, late + proof.too_late
        files, equal = files + len(proof.files), equal + sum(proof.files.values())
        all_equal = all_equal and proof.is_equal
    where = ", ".join(f"{phases[phase]} in {phase}" for phase in PHASES)
    print(
        f"{'EQUAL' if all_equal else 'UNEQUAL'}: {equal} of {files} files of {len(matrix)} runs are the same "
        f"with {sum(phases.values())} kills ({where}; {saving} while a checkpoint was being written; {late} "
        f"more came too late), in {time.monotonic() - began:.0f} s"
    )
    return all_equal


def main() -> None:
    """Print what each run of the matrix came to, then the sum."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=100, help="in all")
    parser.add_argument("--steps", type=int, default=120, help="of each run")
    parser.add_argument("--runs", type=int, help="only so many runs of the matrix, from its start")
    arguments = parser.parse_args()
    matrix = [(channels, optimizer) for optimizer, channels in product(OPTIMIZERS, CHANNELS)]
    with tempfile.TemporaryDirectory() as folder:
        sound = torture(arguments.kills, arguments.steps, matrix[: arguments.runs], Path(folder))
    sys.exit(0 if sound else 1)


if __name__ == "__main__":
    main()
