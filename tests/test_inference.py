"""Tiles that leave no seam, and the mean over all 8 ways to lay a picture."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from srbench.inference import WHOLE, Axis, Inference
from srbench.metrics.protocol import Protocol
from srbench.predict import predict


class Local(nn.Module):
    """Two scales; each SR pixel sees 3 LR pixels to each side and no more."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 3 * 16, 7, padding=3)

    def forward(self, lr):
        full = F.pixel_shuffle(self.conv(lr).sin(), 4)
        return {4: full, 2: F.avg_pool2d(full, 2)}


@settings(max_examples=40)
@given(
    size=st.integers(1, 90),
    tile=st.integers(16, 64),
    share=st.floats(0, 0.5),
    multiple=st.sampled_from([1, 4, 8]),
)
def test_tiles_cover_a_side_and_their_weights_sum_to_one(size, tile, share, multiple):
    size *= multiple
    axis = Axis(size, tile, int(share * tile), multiple)
    total = torch.zeros(size * 2, dtype=torch.float64)
    for start, weights in zip(axis.starts, axis.weights(2), strict=True):
        assert start % multiple == 0
        assert len(weights) == axis.tile * 2
        total[start * 2 : (start + axis.tile) * 2] += weights
    torch.testing.assert_close(total, torch.ones_like(total))
    for one, other in zip(axis.starts, axis.starts[1:], strict=False):
        assert one + axis.tile - other >= int(share * tile)


@settings(max_examples=15)
@given(
    height=st.integers(9, 50),
    width=st.integers(9, 50),
    tile=st.integers(24, 40),
    multiple=st.sampled_from([1, 4]),
)
def test_tiles_of_a_local_network_equal_the_whole_picture(height, width, tile, multiple):
    """It sees 3 pixels far, a quarter of an overlap of 12 is 3 pixels: nothing of a tile's edge is left."""
    lr = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(1))
    networks = {"rgb": Local()}
    whole = predict(networks, "rgb", lr, 4, multiple)
    tiled = predict(networks, "rgb", lr, 4, multiple, Inference(tile=tile, overlap=12))
    assert set(tiled) == {2, 4}
    for scale, sr in whole.items():
        torch.testing.assert_close(tiled[scale], sr, rtol=0, atol=1e-5)


def test_too_little_overlap_shows():
    """So the test above sees seams where there are any."""
    lr = torch.rand(1, 3, 60, 60, generator=torch.Generator().manual_seed(1))
    whole = predict({"rgb": Local()}, "rgb", lr, 4)[4]
    tiled = predict({"rgb": Local()}, "rgb", lr, 4, 1, Inference(tile=24, overlap=0))[4]
    assert (whole - tiled).abs().max() > 0.01


def test_self_ensemble_is_the_mean_over_the_eight_ways():
    lr = torch.rand(1, 3, 12, 10, generator=torch.Generator().manual_seed(2))
    networks = {"rgb": Local()}
    ways = []
    for turns in range(4):
        for mirrored in (False, True):
            x = torch.rot90(lr.flip(-1) if mirrored else lr, turns, (-2, -1))
            sr = torch.rot90(predict(networks, "rgb", x, 4)[4], -turns, (-2, -1))
            ways.append(sr.flip(-1) if mirrored else sr)
    mean = predict(networks, "rgb", lr, 4, 1, Inference(self_ensemble=True))[4]
    torch.testing.assert_close(mean, torch.stack(ways).mean(0), rtol=0, atol=1e-6)


def test_self_ensemble_does_not_depend_on_how_the_picture_lies():
    lr = torch.rand(1, 3, 12, 10, generator=torch.Generator().manual_seed(2))
    both = Inference(tile=16, overlap=4, self_ensemble=True)
    mean = predict({"rgb": Local()}, "rgb", lr, 4, 1, both)[4]
    turned = predict({"rgb": Local()}, "rgb", lr.mT, 4, 1, both)[4]
    torch.testing.assert_close(turned.mT, mean, rtol=0, atol=1e-6)


def test_default_is_what_stored_protocols_say():
    """Their hashes stay: a protocol gets another one only where a setting differs from its default."""
    assert WHOLE.data() == Protocol(degradation="bicubic", plane="y", border=4, metric="psnr").inference
    assert Inference(tile=64).data() == {
        "precision": "fp32",
        "tile": 64,
        "overlap": 16,
        "self_ensemble": False,
    }
    assert Inference(tile=400) == Inference(tile=400, overlap=32)


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        ({"overlap": 8}, "an overlap needs tiles"),
        ({"tile": 8}, "a tile of 8 pixels is too small"),
        ({"tile": 64, "overlap": 33}, "overlap of 33 pixels is not between 0 and half of a tile of 64"),
    ],
)
def test_sizes_that_do_not_go_together_are_refused(given_, words):
    with pytest.raises(ValueError, match=words):
        Inference(**given_)
