"""Detail against LPIPS, picture by picture: a ratio in one run.

    python benchmarks/detail_speed.py [PICTURES] [--lpips-weights DIR]

`detail` of the four planes (r, g, b, y) of every picture, of bicubic against the original, and srbench's own
LPIPS (squeeze) of the same picture on the same device. PICTURES is a folder such as Set14; without it,
data/set14 in the folder that SRBENCH_TEST_ASSETS names, else photographs that scikit-image ships. Weights are
looked for in its weights/lpips, unless a folder is given. Both sides get prepared planes in memory and the
same number of threads. They take turns picture by picture, and the shortest turn of each counts. Goal: less
than one LPIPS.
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from srbench.api import MetricUnavailable
from srbench.datasets import build_dataset
from srbench.images.resize import bicubic, resize_bicubic
from srbench.images.tiles import read_rgb
from srbench.metrics.backbones import set_weights_dir
from srbench.metrics.detail import detail
from srbench.metrics.lpips import lpips
from srbench.metrics.protocol import prepare

Pair = tuple[Tensor, Tensor]


def main() -> None:
    """Print seconds of both and their ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pictures", type=Path, nargs="?", help="folder of pictures")
    parser.add_argument("--lpips-weights", type=Path, help="folder with the squeezenet backbone")
    parser.add_argument("--scale", type=int, default=4)
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=5, help="of each side")
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    folder = arguments.pictures or _asset("data/set14")
    text = f"folder:test={folder}" if folder else "sample"
    pictures = build_dataset(text).test.pictures
    pairs = [_pair(read_rgb(one, arguments.scale), arguments.scale, arguments.device) for one in pictures]
    pixels = sum(hr.shape[-2] * hr.shape[-1] for _, hr in pairs)
    print(
        f"{len(pairs)} pictures, {pixels / 1e6:.1f} MP, ×{arguments.scale}, {arguments.device}, "
        f"{arguments.threads} threads, torch {torch.__version__}"
    )

    set_weights_dir(arguments.lpips_weights or _asset("weights/lpips"))
    of_detail = of_lpips = 0.0
    try:
        for pair in pairs:
            planes = prepare(*pair, ("r", "g", "b", "y"), arguments.scale)
            rgb = prepare(*pair, ("rgb",), arguments.scale)
            turns = [
                (timed(lambda sr, hr: detail(sr, hr, arguments.scale).detail, planes), timed(_lpips, rgb))
                for _ in range(arguments.turns)
            ]
            of_detail += min(mine for mine, _ in turns)
            of_lpips += min(theirs for _, theirs in turns)
    except MetricUnavailable as reason:
        print(reason)
        return
    print(
        f"detail of four planes: {of_detail:.3f} s, lpips:net=squeeze {of_lpips:.3f} s, "
        f"ratio {of_detail / of_lpips:.2f} (goal: less than 1)"
    )


def timed(score: Callable[[Tensor, Tensor], Tensor], pair: Pair) -> float:
    """Seconds for one pair, until its values are known."""
    began = time.perf_counter()
    score(*pair).tolist()
    return time.perf_counter() - began


def _lpips(sr: Tensor, hr: Tensor) -> Tensor:
    return lpips(sr, hr, "squeeze")


def _pair(hr: Tensor, scale: int, device: torch.device) -> Pair:
    lr = bicubic()(hr, scale)
    return resize_bicubic(lr, hr.shape[-2], hr.shape[-1]).float().to(device), hr.float().to(device)


def _asset(place: str) -> Path | None:
    """Something in the folder that SRBENCH_TEST_ASSETS names, where it is there."""
    named = os.environ.get("SRBENCH_TEST_ASSETS")
    path = Path(named, place) if named else None
    return path if path and path.exists() else None


if __name__ == "__main__":
    main()
