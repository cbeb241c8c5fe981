"""What is left to chance in the LR of one picture: all of it comes from one seed."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

T = TypeVar("T")


class Draws:
    """Numbers drawn one after another for one picture.

    Decisions use Philox's raw words, whose stream numpy promises to keep; the noise of pixels comes from
    torch's generator on the picture's device.

    Args:
        seed: of the picture, 64 bits.
        other: of the degradation, so that one picture can be degraded in many ways.
    """

    def __init__(self, seed: int, other: int) -> None:
        self._words = np.random.Philox(key=np.array([seed, other % 2**64], dtype=np.uint64))

    def uniform(self, low: float, high: float) -> float:
        """A number from [low, high)."""
        return low + (high - low) * (self._word() >> 11) * 2.0**-53

    def chance(self, probability: float) -> bool:
        """Whether something of that probability happens."""
        return self.uniform(0, 1) < probability

    def one_of(self, options: Sequence[T], probabilities: Sequence[float] | None = None) -> T:
        """One of several; all alike unless `probabilities`, which sum to 1, say otherwise."""
        shares = probabilities or [1 / len(options)] * len(options)
        at = int(np.searchsorted(np.cumsum(shares), self.uniform(0, 1), side="right"))
        return options[min(at, len(options) - 1)]

    def generator(self, device: torch.device) -> torch.Generator:
        """A generator for the noise of pixels."""
        return torch.Generator(device).manual_seed(self._word() >> 1)

    def _word(self) -> int:
        return int(self._words.random_raw())


def one_by_one(
    degrade: Callable[[Tensor, int, Draws], Tensor], other: int
) -> Callable[[Tensor, int, NDArray[np.uint64]], Tensor]:
    """A degradation of single pictures as one of batches.

    Each picture goes alone: the bits of a filter may depend on how many pictures it is given at once.

    Args:
        degrade: hr (1, 3, H, W), scale, what is drawn → lr (1, 3, H / scale, W / scale).
        other: see `Draws`.
    """

    def batch(hr: Tensor, scale: int, seeds: NDArray[np.uint64]) -> Tensor:
        return torch.cat(
            [degrade(hr[at : at + 1], scale, Draws(int(seed), other)) for at, seed in enumerate(seeds)]
        )

    return batch
