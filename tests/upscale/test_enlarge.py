"""Tiles that leave no seam, how far networks look, memory that is short, and what channels make of colour."""

from contextlib import contextmanager

import numpy as np
import pytest
import torch
from odd import PHOTOGRAPH, bicubic
from torch import nn

from srbench.errors import PictureError, SrbenchError
from srbench.images.colour import rgb_to_ycbcr, ycbcr_to_rgb
from srbench.inference import WHOLE, Inference
from srbench.predict import NetworkUpscaler
from srbench.registry import registry
from srbench.upscale import enlarge
from srbench.upscale.enlarge import Enlarger, spread_colours
from srbench.upscale.raster import Raster
from srbench.upscale.reach import FURTHEST, reach

CPU = torch.device("cpu")


def upscaler(networks, channels="rgb", inference=WHOLE, *, multiple=1, tileable=True):
    return NetworkUpscaler(networks, channels, 2, multiple, tileable, CPU, inference)


def convolutions(planes=3, depth=3):
    """A network that looks `depth` pixels around."""
    torch.manual_seed(depth)
    layers = [nn.Conv2d(planes, 8, 3, padding=1), nn.ReLU()]
    for _ in range(depth - 2):
        layers += [nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()]
    layers += [nn.Conv2d(8, planes * 4, 3, padding=1), nn.PixelShuffle(2)]
    network = nn.Sequential(*layers)
    with torch.no_grad():
        network[-2].bias += 0.5
    return network


class Mean(nn.Module):
    """It looks at everything."""

    def forward(self, x):
        return x.repeat_interleave(2, -1).repeat_interleave(2, -2) + x.mean(dim=(2, 3), keepdim=True)


def noise(*shape, dtype=np.uint16):
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def apart(one, other):
    return np.abs(one.colour.astype(int) - other.colour.astype(int)).max()


def short(networks, **more):
    """An upscaler whose networks need so much memory that only the smallest tiles are left."""
    made = upscaler(networks, **more)
    vars(made)["bytes_per_pixel"] = 1e12
    return made


def lapsrn():
    torch.manual_seed(0)
    return registry().find("model", "lapsrn").make(planes=1, scale=2, features=4, depth=2)


@pytest.mark.parametrize("size", [(150, 90), (64, 131), (3, 200)])
@pytest.mark.parametrize(
    ("networks", "channels", "multiple"),
    [
        ({"rgb": convolutions()}, "rgb", 1),
        ({"y": lapsrn()}, "y", 1),
        ({plane: convolutions(1, depth) for depth, plane in enumerate("rgb", start=2)}, "r,g,b", 4),
    ],
    ids=["rgb", "y", "r,g,b"],
)
def test_tiles_that_are_chosen_leave_no_seam(networks, channels, multiple, size):
    """Of 16 bits, in which a difference of a 65535th would show; alpha too."""
    picture = Raster(noise(*size, 3), np.maximum(noise(*size), 1))
    made = upscaler(networks, channels, multiple=multiple)
    whole = Enlarger(made, "a")(picture)
    counted = []

    @contextmanager
    def steps(total):
        yield lambda: counted.append(total)

    tiled = Enlarger(short(networks, channels=channels, multiple=multiple), "a")(picture, steps=steps)
    assert len(counted) == counted[0] > 1
    assert apart(tiled, whole) <= 1
    assert np.abs(tiled.alpha.astype(int) - whole.alpha.astype(int)).max() <= 1


def test_tiles_that_share_nothing_leave_a_seam_so_the_test_above_can_fail():
    networks, picture = {"rgb": convolutions()}, Raster(noise(64, 64, 3))
    whole = Enlarger(upscaler(networks), "a")(picture)
    tiled = Enlarger(upscaler(networks, inference=Inference(32, 0)), "a")(picture)
    assert apart(tiled, whole) > 100


def test_the_mean_of_8_ways_is_the_same_in_tiles():
    networks, picture = {"rgb": convolutions()}, Raster(noise(40, 70, 3))
    whole = Enlarger(upscaler(networks, inference=Inference(self_ensemble=True)), "a")(picture)
    tiled = Enlarger(upscaler(networks, inference=Inference(32, 16, self_ensemble=True)), "a")(picture)
    assert apart(tiled, whole) <= 1
    assert apart(whole, Enlarger(upscaler(networks), "a")(picture)) > 1


@pytest.mark.parametrize("depth", [2, 5, 17, 40])
def test_reach_is_as_far_as_convolutions_look(depth):
    """Each hands its corner on, which does not fade."""
    network = convolutions(depth=depth)
    with torch.no_grad():
        for one in network.modules():
            if isinstance(one, nn.Conv2d):
                one.weight.zero_()
                one.weight[:, 0, 0, 0] = 1
                one.bias.zero_()
    assert reach(upscaler({"rgb": network})) == depth
    assert reach(upscaler({"rgb": network}, multiple=4)) == depth + 3


def test_reach_of_what_looks_at_everything_has_an_end():
    assert reach(upscaler({"rgb": Mean()})) == FURTHEST


def test_reach_of_what_is_faint_in_each_pixel_and_much_in_all_has_an_end_too():
    """One pixel of a window moves a mean by less than is noticed; tiles would differ by whole levels."""

    class Faint(Mean):
        def forward(self, x):
            large = x.repeat_interleave(2, -1).repeat_interleave(2, -2)
            return large + 0.01 * (super().forward(x) - large)

    assert reach(upscaler({"rgb": Faint()})) == FURTHEST


def test_reach_of_bicubic_is_two_pixels():
    model = registry().find("model", "bicubic").make(planes=3, scale=2)
    assert reach(upscaler({"rgb": model})) == 2


def test_what_must_see_the_whole_is_never_tiled():
    picture = Raster(noise(700, 9, 3, dtype=np.uint8))
    counted = []

    @contextmanager
    def steps(total):
        counted.append(total)
        yield lambda: None

    Enlarger(upscaler({"rgb": Mean()}, tileable=False), "a")(picture, steps=steps)
    assert counted == [1]
    with pytest.raises(SrbenchError, match="700, which it must see whole: its plugin says that it cannot"):
        Enlarger(short({"rgb": Mean()}, tileable=False), "a")(picture)


class Greedy(nn.Module):
    """It has no memory for more than so many pixels."""

    def __init__(self, most):
        super().__init__()
        self.most = most

    def forward(self, x):
        if x.shape[-1] * x.shape[-2] > self.most:
            raise torch.OutOfMemoryError
        return x.repeat_interleave(2, -1).repeat_interleave(2, -2)


def test_smaller_tiles_are_taken_where_memory_runs_out():
    picture = Raster(noise(300, 300, 3, dtype=np.uint8))
    made = Enlarger(upscaler({"rgb": Greedy(130**2)}), "a")(picture)
    np.testing.assert_array_equal(made.colour, picture.colour.repeat(2, 0).repeat(2, 1))
    with pytest.raises(SrbenchError, match="even in tiles of 64 pixels. Free some, or take another --device"):
        Enlarger(upscaler({"rgb": Greedy(33**2)}), "a")(picture)
    asked = upscaler({"rgb": Greedy(130**2)}, inference=Inference(200))
    with pytest.raises(SrbenchError, match="in tiles of 200 pixels. Take a smaller --tile"):
        Enlarger(asked, "a")(picture)


def test_a_result_that_memory_cannot_hold_is_refused(monkeypatch):
    monkeypatch.setattr(enlarge, "available_bytes", lambda: 10**6)
    with pytest.raises(PictureError, match="The picture is 300×200. 600×400 of it need about 0.0 GB"):
        Enlarger(upscaler({"rgb": Mean()}), "a")(Raster(noise(200, 300, dtype=np.uint8)))


def test_luma_is_the_network_s_and_chroma_is_bicubic():
    made = Enlarger(upscaler({"y": Greedy(10**9)}, "y"), "a")(Raster(PHOTOGRAPH)).colour
    lr = torch.from_numpy(PHOTOGRAPH.copy()).permute(2, 0, 1)[None].double() / 255
    luma = rgb_to_ycbcr(lr)[:, :1].repeat_interleave(2, -1).repeat_interleave(2, -2)
    chroma = rgb_to_ycbcr(torch.from_numpy(bicubic(PHOTOGRAPH)).permute(2, 0, 1)[None].double() / 255)[:, 1:]
    right = (ycbcr_to_rgb(torch.cat([luma, chroma], 1))[0].clamp(0, 1) * 255).permute(1, 2, 0).numpy()
    assert np.abs(made - right).mean() < 0.6  # bicubic was rounded and clamped before


@pytest.mark.parametrize("channels", ["rgb", "y", "r,g,b", "g"])
def test_grey_stays_grey_whatever_the_channels(channels):
    planes = channels.split(",")
    grey = noise(9, 8, dtype=np.uint8)
    made = Enlarger(upscaler({plane: Greedy(10**9) for plane in planes}, channels), "a")(Raster(grey))
    np.testing.assert_array_equal(made.colour, grey.repeat(2, 0).repeat(2, 1))


def test_a_single_plane_is_given_as_grey():
    made = Enlarger(upscaler({"g": Greedy(10**9)}, "g"), "a")(Raster(PHOTOGRAPH))
    np.testing.assert_array_equal(made.colour, PHOTOGRAPH[..., 1].repeat(2, 0).repeat(2, 1))


def test_what_is_not_finite_is_black():
    class Broken(nn.Module):
        def forward(self, x):
            return x.repeat_interleave(2, -1).repeat_interleave(2, -2) / 0 * 0

    made = Enlarger(upscaler({"rgb": Broken()}), "a")(Raster(PHOTOGRAPH))
    assert not made.colour.any()


def test_hidden_pixels_take_the_colour_of_the_nearest_that_shows():
    alpha = np.array([[0, 0, 1, 0, 0, 0, 9]])
    np.testing.assert_array_equal(spread_colours(np.arange(7)[None], alpha), [[2, 2, 2, 2, 2, 6, 6]])
    np.testing.assert_array_equal(spread_colours(np.arange(7)[None], alpha * 0), np.arange(7)[None])
