"""HR → LR as a small camera sees it: a soft lens, large pixels, noise that grows with light, 8 bits.

LR pictures of a data set are part of what a run is, so they must be the same on every machine. Sums, products
and square roots are rounded alike everywhere, and the stream of numpy's legacy generator is frozen.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray


def photograph(hr: NDArray[np.uint8], scale: int, noise: float, name: str) -> NDArray[np.uint8]:
    """What the camera makes of a scene.

    Args:
        hr: the scene, `(H, W, 3)`.
        scale: HR pixels of a sensor's pixel, along each side.
        noise: standard deviation in full light, in units of the [0, 1] range; 0: none.
        name: of the picture. Its noise depends on that and on the scale, and on nothing else.

    Returns:
        `(H // scale, W // scale, 3)`: of all of `hr`, cut at bottom and right to a multiple of the scale.
    """
    height, width = (side // scale * scale for side in hr.shape[:2])
    light = (hr[:height, :width].astype(np.float64) / 255) ** 2  # sRGB's curve, near enough
    for _ in range(scale):
        light = _softened(_softened(light).swapaxes(0, 1)).swapaxes(0, 1)
    sensor = light.reshape(height // scale, scale, width // scale, scale, 3).mean(axis=(1, 3))
    seed = int.from_bytes(hashlib.sha256(f"{name} {scale}".encode()).digest()[:4], "big")
    grain = np.random.RandomState(seed).standard_normal(sensor.shape)
    seen = sensor + noise * np.sqrt(sensor) * grain
    levels: NDArray[np.float64] = np.rint(255 * np.sqrt(seen.clip(0, 1)))
    return levels.astype(np.uint8)


def _softened(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each row with its neighbours, in shares of 1/4, 1/2 and 1/4; the first and last row are repeated."""
    padded = np.concatenate([light[:1], light, light[-1:]])
    softened: NDArray[np.float64] = (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4
    return softened
