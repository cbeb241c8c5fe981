"""LapSRN: what it is untrained, its shapes and size, and the published score with the authors' weights."""

from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from srbench.images.colour import rgb_to_y, rgb_to_ycbcr, ycbcr_to_rgb
from srbench.images.png import quantise, read_picture, to_tensor
from srbench.images.resize import resize_bicubic
from srbench.types import Picture
from srbench_lapsrn.network import FeatureDoubling, build
from srbench_lapsrn.recipe import RECIPES

SCALES = (2, 4, 8)


@pytest.mark.parametrize("planes", [1, 3])
def test_an_untrained_network_is_bilinear_upsampling(planes):
    """Away from the edges, where the authors' upsampling sees black and `interpolate` the edge again."""
    lr = torch.rand(2, planes, 9, 7, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        prediction = build(planes, 8, features=4, depth=1)(lr)
    expected, edge = lr, 0
    for scale, sr in prediction.items():
        expected, edge = F.interpolate(expected, scale_factor=2, mode="bilinear"), 2 * edge + 1
        inner = (..., slice(edge, -edge), slice(edge, -edge))
        torch.testing.assert_close(sr[inner], expected[inner], rtol=0, atol=1e-6)
        assert edge < scale  # so the usual border hides what the edges do


@given(
    scale=st.sampled_from(SCALES),
    planes=st.sampled_from((1, 3)),
    batch=st.integers(1, 2),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
)
def test_every_level_has_its_shape(scale, planes, batch, height, width):
    """Any size of LR, down to one pixel, comes out at 2, 4, … up to the scale, coarse to fine."""
    with torch.inference_mode():
        prediction = build(planes, scale, features=2, depth=1)(torch.rand(batch, planes, height, width))
    assert list(prediction) == [one for one in SCALES if one <= scale]
    for one, sr in prediction.items():
        assert sr.shape == (batch, planes, height * one, width * one)


@given(height=st.integers(1, 6), width=st.integers(1, 6), features=st.integers(1, 5))
def test_feature_doubling_is_the_transposed_convolution(height, width, features):
    """The four phases together are `conv_transpose2d` less its last row and column, gradients included."""
    generator = torch.Generator().manual_seed(features)
    doubling = FeatureDoubling(features).double()
    x = torch.randn(2, features, height, width, generator=generator, dtype=torch.float64, requires_grad=True)
    doubling.bias.data.normal_(generator=generator)
    transposed = F.conv_transpose2d(x, doubling.weight, doubling.bias, stride=2)[..., :-1, :-1]
    expected = F.leaky_relu(transposed, 0.2)
    actual = doubling(x)
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-12)
    inputs = (x, doubling.weight, doubling.bias)
    weights = torch.randn(expected.shape, generator=generator, dtype=torch.float64)
    for one, other in zip(
        torch.autograd.grad((actual * weights).sum(), inputs),
        torch.autograd.grad((expected * weights).sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-11)


def test_features_stay_channels_last():
    """Else every convolution after a doubling would copy its input: 3.05 s a step instead of 0.21."""
    doubling = FeatureDoubling(8).to(memory_format=torch.channels_last)
    features = torch.rand(2, 8, 5, 6).contiguous(memory_format=torch.channels_last)
    assert doubling(features).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("scale", SCALES)
def test_every_parameter_has_a_gradient_after_one_step(scale):
    """The residuals begin at zero, so the features get theirs with the second step, and none is left out."""
    torch.manual_seed(0)
    network = build(3, scale, features=8, depth=2)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    lr = torch.rand(2, 3, 6, 6)
    for _ in range(2):
        optimizer.zero_grad()
        loss = sum((sr - torch.rand_like(sr)).abs().mean() for sr in network(lr).values())
        loss.backward()
        optimizer.step()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name


def test_bf16_training_keeps_the_image_branch_exact():
    """The untrained network adds nothing to its upsampling, so autocast must not show in it."""
    network, lr = build(1, 4, features=8, depth=1), torch.rand(1, 1, 8, 8)
    with torch.inference_mode():
        plain = network(lr)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            cast = network(lr)
    for scale, sr in plain.items():
        assert cast[scale].dtype == torch.float32
        assert torch.equal(cast[scale], sr)


@pytest.mark.parametrize(
    ("planes", "scale", "count"),
    [
        (1, 2, 407_441),
        (1, 4, 814_242),
        (1, 8, 1_221_043),
        (3, 2, 409_875),
        (3, 4, 817_958),
        (3, 8, 1_226_041),
    ],
)
def test_parameter_counts(planes, scale, count):
    """The paper says 812 thousand for ×4 (Lai et al. 2017, table 1), biases and all."""
    assert sum(parameter.numel() for parameter in build(planes, scale).parameters()) == count


def test_equal_seeds_give_equal_networks():
    states = []
    for _ in range(2):
        torch.manual_seed(7)
        states.append(build(1, 4, features=4, depth=2).state_dict())
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_wrong_scale_and_counts_are_refused():
    with pytest.raises(ValueError, match="2, 4 or 8, not 3"):
        build(1, 3)
    with pytest.raises(ValueError, match="depth of at least 1, not 0"):
        build(1, 2, depth=0)


def test_recipes_name_only_known_settings():
    known = {"loss", "steps", "epochs", "batch", "patch", "optimizer", "lr", "schedule", "clip", "ema"}
    for recipe in RECIPES.values():
        assert set(recipe) <= known
        assert ("steps" in recipe) != ("epochs" in recipe)
        assert all(recipe["patch"] % scale == 0 for scale in SCALES)


def test_names_are_the_authors():
    """Level 2 comes first in ×4, and no name needs more than its ending changed."""
    modules = [name for name, _ in build(1, 4, depth=2).named_children()]
    levels = [
        f"level{level}_{part}"
        for level in (2, 1)
        for part in ("conv1", "conv2", "upconv", "residual_conv", "img_up")
    ]
    assert modules == ["input_conv", *levels]


@pytest.mark.parametrize("scale", [2, 4])
def test_authors_files_hold_as_many_values(assets, scale):
    count = sum(value.size for value in _authors_values(assets, scale).values())
    assert sum(parameter.numel() for parameter in build(1, scale).parameters()) == count


@pytest.mark.parametrize(("scale", "published"), [(2, 37.52), (4, 31.54)])
def test_authors_weights_score_what_they_published(assets, scale, published):
    """Set5, luma PSNR of Lai et al. 2017, table 3: LR unrounded, both rounded, border `scale` cropped."""
    network = build(1, scale)
    network.load_state_dict(_as_state(_authors_values(assets, scale)))
    network.to(memory_format=torch.channels_last)
    scores = []
    for file in sorted((assets / "data" / "set5").glob("*.png")):
        hr = to_tensor(read_picture(Picture(file.stem, file))).double()
        height, width = (side // scale * scale for side in hr.shape[-2:])
        hr = hr[..., :height, :width]
        lr = rgb_to_ycbcr(resize_bicubic(hr, height // scale, width // scale))
        with torch.inference_mode():
            y = network(lr[:, :1].float())[scale].double()
        chroma = resize_bicubic(lr[:, 1:], height, width)
        # Quantise, then luma, then crop: the order of the authors' evaluate_SR.m.
        sr = quantise(ycbcr_to_rgb(torch.cat([y, chroma], dim=1)))
        error = (rgb_to_y(sr) - rgb_to_y(hr))[..., scale:-scale, scale:-scale]
        scores.append(-10 * error.square().mean().log10().item())
    assert len(scores) == 5
    assert np.mean(scores) == pytest.approx(published, abs=0.005)


def _authors_values(assets: Path, scale: int) -> dict[str, np.ndarray]:
    """Name → value of a released MATLAB file, in four dimensions (filters) or one (biases)."""
    file = assets / "weights" / "lapsrn" / f"LapSRN_x{scale}.mat"
    if not file.is_file():
        pytest.skip(f"{file} is not there")
    params = scipy.io.loadmat(file, squeeze_me=True, struct_as_record=False)["net"].params
    values = {param.name: np.asarray(param.value, dtype=np.float32) for param in params}
    return {
        name: np.atleast_1d(value) if name.endswith("_b") else _filters(name, value)
        for name, value in values.items()
    }


def _filters(name: str, value: np.ndarray) -> np.ndarray:
    """MATLAB drops trailing dimensions of one, and scipy's squeeze the others: put them back."""
    if value.ndim == 3:
        return value[..., None, :] if name == "input_conv_f" else value[..., None]
    return value.reshape(4, 4, 1, 1) if value.ndim == 2 else value


def _as_state(values: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """Height × width × in × out (out × in where transposed) is (out, in, h, w) ((in, out, h, w)) here."""
    state = {}
    for name, value in values.items():
        stem, kind = name.rsplit("_", 1)
        if kind == "b":
            state[f"{stem}.bias"] = torch.from_numpy(value)
        else:
            state[f"{stem}.weight"] = torch.from_numpy(value.transpose(3, 2, 0, 1).copy())
    return state
