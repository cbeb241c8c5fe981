"""srbench's metrics against scikit-image and the lpips package, picture by picture: ratios in one run.

    python benchmarks/metric_speed.py [PICTURES] [--lpips-weights DIR]

PSNR and SSIM of four planes (r, g, b, y) of every picture, and LPIPS (squeeze), of bicubic ×4 against the
original. PICTURES is a folder such as Set14; without it, photographs that scikit-image ships. Both sides get
the same prepared planes in memory and the same number of threads. They take turns picture by picture, and the
shortest turn of each counts, so that a busy machine slows both; yet threads that wait for each other suffer
more than a single one, so goals are for an idle machine. Values must agree, to 1e-6 and 1e-5, or the script
fails. Goals: 1.5 times as fast or more, and as fast.
"""

import argparse
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor

from srbench.api import MetricUnavailable
from srbench.datasets import build_dataset
from srbench.images.resize import bicubic, resize_bicubic
from srbench.images.tiles import read_rgb
from srbench.metrics import lpips as srbench_lpips
from srbench.metrics.backbones import set_weights_dir
from srbench.metrics.protocol import prepare
from srbench.metrics.psnr import psnr
from srbench.metrics.ssim import ssim

SCALE = 4
Pair = tuple[Tensor, Tensor]


def main() -> None:
    """Print seconds of each side and their ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pictures", type=Path, nargs="?", help="folder of pictures; default: sample pictures")
    parser.add_argument("--lpips-weights", type=Path, help="folder with the squeezenet backbone")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=5, help="of each side")
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    text = f"folder:test={arguments.pictures}" if arguments.pictures else "sample"
    pairs = [_pair(read_rgb(picture, SCALE)) for picture in build_dataset(text).test.pictures]
    pixels = sum(hr.shape[-2] * hr.shape[-1] for _, hr in pairs)
    print(
        f"{len(pairs)} pictures, {pixels / 1e6:.1f} MP, {arguments.threads} threads, "
        f"torch {torch.__version__}"
    )

    planes = [prepare(sr, hr, ("r", "g", "b", "y"), SCALE) for sr, hr in pairs]
    compare(
        "psnr + ssim of four planes", "scikit-image", planes, ours, scikit_image, 1e-6, arguments.turns, 1.5
    )

    set_weights_dir(arguments.lpips_weights)
    try:
        package = package_lpips()
    except MetricUnavailable as reason:
        print(reason)
        return
    rgb = [prepare(sr, hr, ("rgb",), SCALE) for sr, hr in pairs]
    compare(
        "lpips:net=squeeze", "the lpips package", rgb,
        lambda sr, hr: srbench_lpips.lpips(sr, hr, "squeeze").tolist(), package, 1e-5, arguments.turns, 1.0,
    )  # fmt: skip


def ours(sr: Tensor, hr: Tensor) -> list[float]:
    """PSNR and SSIM of all planes at once."""
    return [*psnr(sr, hr).flatten().tolist(), *ssim(sr, hr).flatten().tolist()]


def scikit_image(sr: Tensor, hr: Tensor) -> list[float]:
    """The same by scikit-image, plane by plane, in float64."""
    arrays = [(hr[0, plane].double().numpy(), sr[0, plane].double().numpy()) for plane in range(hr.shape[1])]
    return [
        *(float(peak_signal_noise_ratio(a, b, data_range=1)) for a, b in arrays),
        *(
            float(
                structural_similarity(
                    a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1
                )
            )
            for a, b in arrays
        ),
    ]


def package_lpips() -> Callable[[Tensor, Tensor], list[float]]:
    """The lpips package's own network with the same backbone, called as its documentation does."""
    import lpips

    warnings.filterwarnings("ignore", module=r"torchvision\.")  # the package calls it the old way
    state = srbench_lpips._network("squeeze", torch.device("cpu")).state_dict()
    network = lpips.LPIPS(net="squeeze", pnet_rand=True, verbose=False).eval()
    network.load_state_dict(state)

    @torch.no_grad()
    def score(sr: Tensor, hr: Tensor) -> list[float]:
        return [float(network(2 * sr - 1, 2 * hr - 1).item())]

    return score


def compare(
    what: str,
    other: str,
    pairs: Sequence[Pair],
    fast: Callable[[Tensor, Tensor], list[float]],
    slow: Callable[[Tensor, Tensor], list[float]],
    tolerance: float,
    turns: int,
    goal: float,
) -> None:
    """Check that values agree, then time both in turns and print the ratio."""
    worst = max(
        abs(one - two) for sr, hr in pairs for one, two in zip(fast(sr, hr), slow(sr, hr), strict=True)
    )
    if worst > tolerance:
        sys.exit(f"{what}: values differ by {worst:.1e}, more than {tolerance:.0e}")
    mine = theirs = 0.0
    for pair in pairs:
        seconds = [(timed(fast, pair), timed(slow, pair)) for _ in range(turns)]
        mine += min(one for one, _ in seconds)
        theirs += min(one for _, one in seconds)
    print(
        f"{what}: srbench {mine:.3f} s, {other} {theirs:.3f} s, ratio {theirs / mine:.2f} (goal: {goal:g} or "
        f"more), values within {worst:.0e}"
    )


def timed(score: Callable[[Tensor, Tensor], list[float]], pair: Pair) -> float:
    """Seconds for one pair."""
    began = time.perf_counter()
    score(*pair)
    return time.perf_counter() - began


def _pair(hr: Tensor) -> Pair:
    lr = bicubic()(hr, SCALE)
    return resize_bicubic(lr, hr.shape[-2], hr.shape[-1]).float(), hr


if __name__ == "__main__":
    main()
