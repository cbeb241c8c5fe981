"""(seeds, step) → which patches, where and how turned: a pure function, so that resuming needs no state."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_ORDER, _CROP = 1, 2
"""Streams of the counter-based generator, so that the order and the crops of one seed are independent."""


@dataclass(frozen=True)
class Samples:
    """The patches of one batch.

    Args:
        slot: (B,) index into the epoch's slots, of which every picture has as many as patches fit it.
        random: (B, 2) uint64, uniform; reduced to a crop position by the sizes of the picture.
        turn: (B,) 0 to 7: bit 0 mirrors left-right, bit 1 top-bottom, bit 2 then swaps the axes.
        seeds: (B,) uint64, of whatever else is drawn for a patch: how a stochastic degradation makes LR.
    """

    slot: NDArray[np.int64]
    random: NDArray[np.uint64]
    turn: NDArray[np.int64]
    seeds: NDArray[np.uint64]


def samples(order: int, crops: int, step: int, batch: int, slots: int) -> Samples:
    """The batch of a step: samples step·batch … step·batch + batch − 1 of the endless sequence of
    permutations of `slots`, drawn without replacement within an epoch and across steps' borders.

    Args:
        order: seed of the permutations.
        crops: seed of everything else; the run's own where it has one for all.
        step: counts from 0.
        batch: patches a step.
        slots: patches an epoch.
    """
    first = step * batch
    index = np.arange(first, first + batch)
    slot = np.array([_permutation(order, int(i) // slots, slots)[int(i) % slots] for i in index])
    # Philox makes four words a counter value: sample k has counter k, whatever the batch around it.
    words = _philox(crops, _CROP, first).random_raw(4 * batch).reshape(batch, 4)
    return Samples(slot, words[:, :2], (words[:, 2] % 8).astype(np.int64), words[:, 3])


def seed_of(*parts: object) -> int:
    """A 63-bit seed from anything that prints the same everywhere, such as ("init", 0, "r")."""
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def _philox(seed: int, stream: int, counter: int, epoch: int = 0) -> np.random.Philox:
    key = np.array([seed % 2**64, stream], dtype=np.uint64)
    return np.random.Philox(key=key, counter=np.array([counter, epoch, 0, 0], dtype=np.uint64))


@lru_cache(maxsize=4)
def _permutation(seed: int, epoch: int, slots: int) -> NDArray[np.int64]:
    # Sorting raw words: numpy promises the stream of raw words for ever, but not that of its permutation().
    return np.argsort(_philox(seed, _ORDER, 0, epoch).random_raw(slots), kind="stable")
