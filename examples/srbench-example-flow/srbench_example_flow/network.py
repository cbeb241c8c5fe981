"""A small network that says where a picture on its way from bicubic to HR has to go."""

import torch
from srbench.api import resize_bicubic
from torch import Tensor, nn


class Velocity(nn.Module):
    """Picture, LR and time → velocity; LR alone → SR, as any model, by one step from the bicubic picture.

    Args:
        planes: 3 or 1.
        scale: the run scale.
        features: channels inside, from 1.
        depth: layers inside, from 0.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(self, planes: int, scale: int, features: int = 32, depth: int = 6) -> None:
        super().__init__()
        if features < 1 or depth < 0:
            raise ValueError(f"features={features} must be 1 or more, and depth={depth} 0 or more")
        self.scale = scale
        layers: list[nn.Module] = [nn.Conv2d(2 * planes + 1, features, 3, padding=1), nn.SiLU()]
        for _ in range(depth):
            layers += [nn.Conv2d(features, features, 3, padding=1), nn.SiLU()]
        self.layers = nn.Sequential(*layers, nn.Conv2d(features, planes, 3, padding=1))

    def enlarged(self, lr: Tensor) -> Tensor:
        """LR `(N, planes, h, w)` at the size of HR, by bicubic."""
        height, width = (side * self.scale for side in lr.shape[-2:])
        return resize_bicubic(lr, height, width)

    def velocity(self, picture: Tensor, start: Tensor, time: Tensor) -> Tensor:
        """Where `picture` has to go at `time` `(N,)` in [0, 1], having begun at `start`."""
        plane = time.view(-1, 1, 1, 1).expand(-1, 1, *picture.shape[-2:])
        velocity: Tensor = self.layers(torch.cat([picture, start, plane.to(picture)], dim=1))
        return velocity

    def forward(self, lr: Tensor) -> Tensor:
        """LR → SR in one step."""
        start = self.enlarged(lr)
        return start + self.velocity(start, start, lr.new_zeros(len(lr)))
