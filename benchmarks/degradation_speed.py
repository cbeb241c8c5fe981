"""Random degradations while training: patches a second, beside patches whose LR is only cut, in one run.

    python benchmarks/degradation_speed.py [--device cpu]

Draws batches of 16 patches of 64 HR pixels at ×4 from the sample pictures, as the training loop does, with
each degradation. They take turns, and the shortest turn of each counts. `codec` is the share of the time that
is spent in Pillow's JPEG, with the copies it takes.
"""

import argparse
import time

import torch
from torch import Tensor

from srbench.datasets import build_dataset
from srbench.images.tiles import TileStore
from srbench.plan.terms import component_spec
from srbench.registry import registry
from srbench.train.device import apply_engine, choose_engine, pick_device
from srbench.train.sampling import samples
from srbench_degradations import classical, realesrgan, steps

BATCH = 16
DEGRADATIONS = ("bicubic", "classical", "classical:order=blur-down-noise-jpeg", "realesrgan")


class Codec:
    """The step `jpeg`, which adds up its own seconds."""

    seconds = 0.0

    def __call__(self, x: Tensor, quality: int) -> Tensor:
        """As the step does."""
        began = time.perf_counter()
        decoded = steps.jpeg(x, quality)
        self.seconds += time.perf_counter() - began
        return decoded


def main() -> None:
    """Print patches a second of each degradation."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="auto")
    parser.add_argument("--turns", type=int, default=8, help="of each degradation")
    arguments = parser.parse_args()
    device = pick_device(arguments.device)
    apply_engine(choose_engine(device, "auto", "exact"))
    codec = Codec()
    classical.jpeg = realesrgan.jpeg = codec

    pictures = build_dataset("sample").pictures.train
    stores = {}
    for text in DEGRADATIONS:
        spec = component_spec("degradation", text)
        degrade = registry().find("degradation", spec.name).make(**spec.params)
        stores[text] = TileStore(pictures, [4], degrade, 64, device)

    best = {text: (float("inf"), 0.0) for text in DEGRADATIONS}
    for turn in range(arguments.turns + 1):
        for text, store in stores.items():
            codec.seconds = 0.0
            seconds = timed(store, turn, device)
            if turn:  # the first one warms up
                best[text] = min(best[text], (seconds, codec.seconds))
    print(f"{device}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    for text, (seconds, in_codec) in best.items():
        print(f"{text}: {BATCH / seconds:,.0f} patches/s, codec {100 * in_codec / seconds:.0f} %")


def timed(store: TileStore, step: int, device: torch.device) -> float:
    """Seconds for the batch of a step."""
    drawn = samples(0, 0, step, BATCH, store.slots)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    began = time.perf_counter()
    store.batch(drawn.slot, drawn.random, drawn.turn, drawn.seeds)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
