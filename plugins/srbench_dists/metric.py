"""Deep image structure and texture similarity: how alike two pictures are in structure and in texture."""

from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from srbench.api import PublishedFile, build_features, find_published, find_weights

WEIGHTS = PublishedFile(
    "dists_weights.pt",
    "https://github.com/dingkeyan93/DISTS/raw/master/DISTS_pytorch/weights.pt",
    "f5e65c96230b7f6ca995691647d482237e4cab8a50c5c4a5784f219ef0748218",
    packages=(
        ("torchmetrics", "functional/image/dists_models/weights.pt"),
        ("DISTS_pytorch", "weights.pt"),
    ),
    extra="dists",
)
"""α and β, a pair for each of the 1,475 channels, as the authors published them (MIT)."""

SMALLEST_SIDE = 17
"""The last of the five stages then has two pixels a side; in a single one there is no texture."""

_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_C = 1e-6  # both constants of equation 6
_CHANNELS_AT_ONCE = 16


def facts() -> dict[str, object]:
    """What a score depends on: the SHA-256 of VGG16's convolutional weights and of the file of α and β.

    Raises:
        MetricUnavailable: either cannot be had.
    """
    find_published(WEIGHTS, "DISTS")
    return {"weights_sha256": find_weights("vgg", "DISTS").sha256, "dists_sha256": WEIGHTS.sha256}


@torch.no_grad()
def dists(sr: Tensor, hr: Tensor) -> Tensor:
    """Distance in structure and texture, from 0 for equal pictures to about 1; lower is better.

    The picture is taken at its own size: the authors' command line, unlike most benchmarks, first shrinks it
    to 256 pixels. Features in float32, one picture at a time; their statistics in float64.

    Args:
        sr: model output, (N, 3, H, W) RGB, floating point, in [0, 1].
        hr: ground truth, same shape and range.

    Returns:
        (N,), float64, on the device of `sr`. NaN where `sr` is not finite, and for pictures with a side below
        17 pixels.

    Raises:
        MetricUnavailable: VGG16's weights or the authors' cannot be had.

    Source: Ding et al. 2020, arXiv:2004.07728, equations 5 to 8.
    """
    scores = torch.full((len(sr),), torch.nan, dtype=torch.float64, device=sr.device)
    if min(sr.shape[-2:]) < SMALLEST_SIDE:
        return scores
    network = _network(sr.device, find_weights("vgg", "DISTS").sha256)
    with torch.autocast(sr.device.type, enabled=False):
        for n in range(len(sr)):
            if sr[n].isfinite().all():
                # Contiguous both: convolutions round differently with the layout.
                scores[n] = network(*(one[n : n + 1].float().contiguous() for one in (sr, hr)))
    return scores


class Network(nn.Module):
    """VGG16 with L2 pooling, and a weight for the likeness in each channel of its five stages and of RGB.

    Args:
        features: the convolutional part of VGG16.
        alpha, beta: (1475,), weights of texture and of structure: for RGB, then for each stage.
    """

    def __init__(self, features: nn.Sequential, alpha: Tensor, beta: Tensor) -> None:
        super().__init__()
        self.stages = nn.ModuleList(_stages(features))
        self.mean = nn.Buffer(torch.tensor(_MEAN).view(1, 3, 1, 1))
        self.deviation = nn.Buffer(torch.tensor(_DEVIATION).view(1, 3, 1, 1))
        total = alpha.double().sum() + beta.double().sum()
        self.alpha, self.beta = nn.Buffer(alpha.double() / total), nn.Buffer(beta.double() / total)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Two pictures (1, 3, H, W) in [0, 1] → their distance, in float64."""
        unlike = [_unlikeness(x, y)]
        x, y = ((picture - self.mean) / self.deviation for picture in (x, y))
        for stage in self.stages:  # both pictures at once, so that the features of one stage alone are kept
            x, y = stage(x), stage(y)
            unlike.append(_unlikeness(x, y))
        texture, structure = (torch.cat(parts) for parts in zip(*unlike, strict=True))
        # α and β sum to 1, so that 1 − Σ (α·l + β·s) is this sum, which is 0 for equal pictures.
        return (self.alpha * texture + self.beta * structure).sum()


class L2Pooling(nn.Module):
    """The root of the mean square under a 3×3 Hann window, at every second pixel: pooling without aliases."""

    def __init__(self) -> None:
        super().__init__()
        line = torch.tensor([1.0, 2.0, 1.0]) / 4
        self.window = nn.Buffer(line.outer(line).view(1, 1, 3, 3))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → (N, C, ⌈H/2⌉, ⌈W/2⌉)."""
        channels = x.shape[1]
        window = self.window.expand(channels, 1, 3, 3)
        mean = conv2d(x.square(), window, stride=2, padding=1, groups=channels)
        return (mean + 1e-12).sqrt()


def _stages(features: nn.Sequential) -> list[nn.Sequential]:
    """VGG16 cut behind the activation before each pooling, its poolings replaced."""
    stages: list[list[nn.Module]] = [[]]
    for layer in features:
        if isinstance(layer, nn.MaxPool2d):
            stages.append([L2Pooling()])
        else:
            stages[-1].append(layer)
    return [nn.Sequential(*layers) for layers in stages[:-1]]  # nothing follows the last pooling


def _unlikeness(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """1 − l and 1 − s of equation 6 for each channel of (1, C, H, W), in float64: texture and structure."""
    texture, structure = [], []
    # Some channels at a time: a whole first stage of a 2K picture would be 1.4 GB in float64.
    for a, b in zip(torch.split(x[0], _CHANNELS_AT_ONCE), torch.split(y[0], _CHANNELS_AT_ONCE), strict=True):
        a, b = a.double(), b.double()
        mean_a, mean_b = a.mean((1, 2)), b.mean((1, 2))
        a, b = a - mean_a.view(-1, 1, 1), b - mean_b.view(-1, 1, 1)
        variances = a.square().mean((1, 2)) + b.square().mean((1, 2))
        squares = mean_a.square() + mean_b.square()
        texture.append(1 - (2 * mean_a * mean_b + _C) / (squares + _C))
        structure.append(1 - (2 * (a * b).mean((1, 2)) + _C) / (variances + _C))
    return torch.cat(texture), torch.cat(structure)


@lru_cache(maxsize=2)
def _network(device: torch.device, _sha256: str) -> Network:
    weights = torch.load(find_published(WEIGHTS, "DISTS"), map_location="cpu", weights_only=True)
    with torch.inference_mode(False):
        network = Network(
            build_features("vgg", "DISTS"), weights["alpha"].flatten(), weights["beta"].flatten()
        )
        return network.requires_grad_(False).eval().to(device)
