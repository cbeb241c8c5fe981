"""TileStore: what a batch holds is what cutting and turning the degraded whole pictures by hand gives."""

import numpy as np
import pytest
import torch
from skimage import data

from srbench.errors import DatasetError
from srbench.images.resize import bicubic
from srbench.images.tiles import TileStore, read_rgb, reference
from srbench.types import Picture

PICTURES = [
    Picture("cup", data.coffee()[100:170, 200:265]),
    Picture("grass", data.grass()[:40, :56]),
    Picture("tile", data.astronaut()[:48, :64], box=(0, 8, 32, 40)),
]
CPU = torch.device("cpu")


def by_hand(level, picture, top, left, side, turn, degrade):
    """The patch as numpy cuts, mirrors and then turns it."""
    hr = read_rgb(picture, 4)
    whole = degrade(hr, 4).float() if level == 1 else reference(hr, level, 4, degrade)
    side, top, left = side // 4 * level, top * level, left * level
    patch = whole[0, :, top : top + side, left : left + side].numpy()
    patch = patch[:, ::-1] if turn & 2 else patch
    patch = patch[:, :, ::-1] if turn & 1 else patch
    return patch.transpose(0, 2, 1) if turn & 4 else patch


@pytest.mark.parametrize("rounded", [True, False])
@pytest.mark.parametrize("turn", range(8))
def test_patches_are_cut_from_degraded_whole_pictures_and_turned_alike(turn, rounded):
    degrade = bicubic(round=rounded)
    store = TileStore(PICTURES, [2, 4], degrade, 16, CPU)
    slot = np.array([0, store.slots - 2, store.slots - 1])
    random = np.array([[5, 7], [2**63 + 3, 11], [1, 2**64 - 1]], dtype=np.uint64)
    batch = store.batch(slot, random, np.full(3, turn), np.zeros(3, np.uint64))
    for number, picture in enumerate(PICTURES):
        hr = read_rgb(picture, 4)
        height, width = hr.shape[-2] // 4, hr.shape[-1] // 4
        top, left = int(random[number, 0]) % (height - 3), int(random[number, 1]) % (width - 3)
        for level, patches in {1: batch.lr, **batch.hr}.items():
            expected = by_hand(level, picture, top, left, 16, turn, degrade)
            np.testing.assert_allclose(patches[number].numpy(), expected, rtol=0, atol=1e-7)


def test_an_epoch_is_as_many_patches_as_fit_and_one_a_tile():
    store = TileStore(PICTURES, [2, 4], bicubic(), 16, CPU)
    assert store.slots == (68 // 16) * (64 // 16) + (40 // 16) * (56 // 16) + 1


def test_rounded_lr_takes_one_byte_and_unrounded_lr_is_kept_whole():
    rounded, unrounded = (TileStore(PICTURES, [4], bicubic(round=r), 16, CPU) for r in (True, False))
    assert rounded._levels[1].dtype == torch.uint8
    assert unrounded._levels[1].dtype == torch.float32


def test_a_picture_smaller_than_a_patch_is_named():
    with pytest.raises(DatasetError, match="'grass' is 56×40 and smaller than a training patch of 64×64"):
        TileStore(PICTURES, [4], bicubic(), 64, CPU)


def test_a_picture_smaller_than_one_lr_pixel_is_named():
    with pytest.raises(DatasetError, match="'dot' is 3×2, less than one LR pixel at ×4"):
        read_rgb(Picture("dot", np.zeros((2, 3, 3), dtype=np.uint8)), 4)


def test_a_grey_picture_has_three_equal_planes():
    rgb = read_rgb(PICTURES[1], 4)
    assert rgb.shape == (1, 3, 40, 56)
    assert torch.equal(rgb[:, 0], rgb[:, 2])
