"""MATLAB's imresize: an exact rational reference, laws, Pillow's interior, published bicubic scores."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage import data

from srbench.api import resize_bicubic as public_resize_bicubic
from srbench.images.png import read_picture, to_tensor
from srbench.images.resize import bicubic, resize_bicubic
from srbench.metrics.protocol import prepare
from srbench.metrics.psnr import psnr
from srbench.types import Picture


def exact_kernel(x):
    x = abs(x)
    if x <= 1:
        return Fraction(3, 2) * x**3 - Fraction(5, 2) * x**2 + 1
    return -Fraction(1, 2) * x**3 + Fraction(5, 2) * x**2 - 4 * x + 2 if x < 2 else Fraction(0)


def exact_line(line, size, antialias=True):
    """One axis in rational arithmetic, straight from the definition: no matrix, no rounding anywhere."""
    n, scale = len(line), Fraction(size, len(line))
    stretch = min(scale, 1) if antialias else Fraction(1)
    result = []
    for i in range(size):
        centre = (i + Fraction(1, 2)) / scale - Fraction(1, 2)
        total = weight_sum = Fraction(0)
        for j in range(math.floor(centre - 2 / stretch), math.ceil(centre + 2 / stretch) + 1):
            mirrored = j % (2 * n)
            weight = exact_kernel(stretch * (centre - j))
            total += weight * line[mirrored if mirrored < n else 2 * n - 1 - mirrored]
            weight_sum += weight
        result.append(total / weight_sum)
    return result


def exact_picture(levels, height, width, antialias=True):
    rows = [exact_line([Fraction(int(v)) for v in row], width, antialias) for row in levels]
    columns = [exact_line(list(column), height, antialias) for column in zip(*rows, strict=True)]
    return [list(row) for row in zip(*columns, strict=True)]


def random_levels(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width))


def as_tensor(levels, dtype=torch.float64):
    return (torch.tensor(levels, dtype=dtype) / 255)[None, None]


@settings(max_examples=25)
@given(st.tuples(*[st.integers(1, 9)] * 4), st.booleans())
def test_any_size_to_any_size_equals_exact_arithmetic(sizes, antialias):
    """Mirrored edges wrap around more than once where a picture is smaller than the kernel."""
    height, width, new_height, new_width = sizes
    levels = random_levels(height, width)
    expected = np.array(exact_picture(levels, new_height, new_width, antialias), dtype=float) / 255
    found = resize_bicubic(as_tensor(levels), new_height, new_width, antialias=antialias)
    np.testing.assert_allclose(found[0, 0], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rounded_degradation_equals_exact_arithmetic_to_the_level(scale, dtype):
    """Every tie rounds up, in float32 as in float64; a quarter of a level decides nothing by chance."""
    levels = random_levels(4 * scale, 6 * scale, seed=scale)
    exact = exact_picture(levels, 4, 6)
    expected = [[min(max(math.floor(value + Fraction(1, 2)), 0), 255) for value in row] for row in exact]
    lr = bicubic(round=True)(as_tensor(levels, dtype), scale)
    assert lr.dtype == dtype
    assert torch.equal(lr[0, 0], torch.tensor(expected, dtype=dtype) / 255)


def test_a_tie_rounds_up_in_the_degradation():
    """Columns 0 1 0 1 …: away from the edges, the ×2 mean is exactly half a level everywhere."""
    inside = bicubic()(as_tensor(np.tile([0, 1], (8, 8))), 2)[..., 2:-2]
    assert torch.equal(inside * 255, torch.ones(1, 1, 4, 4, dtype=torch.float64))


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_tie_of_stripes_rounds_up(scale, dtype):
    """At ×2 and ×4 sums of whole levels are exact in float64, so there is no doubt which are ties."""
    profiles = np.random.default_rng(0).integers(0, 256, (4000, 1, 1, 32))
    levels = torch.from_numpy(profiles).expand(-1, -1, scale, -1)
    exact = resize_bicubic(levels.double(), 1, 32 // scale)
    assert (exact % 1 == 0.5).sum() > 5
    expected = (exact + 0.5).floor().clamp(0, 255).to(dtype) / 255
    assert torch.equal(bicubic()(levels.to(dtype) / 255, scale), expected)


def test_float32_noise_lifts_no_value_over_a_tie():
    """A picture, found by search, with an LR value 1e-6 levels below a tie; float32 k / 255 adds 3e-6."""
    i, k = np.arange(256, dtype=np.int64), 126825
    levels = ((i**3 * (k % 997 + 1) + i**2 * (k // 997) + i * k) % 257 % 256).reshape(16, 16)
    assert torch.equal(
        bicubic()(as_tensor(levels, torch.float32), 4), bicubic()(as_tensor(levels), 4).float()
    )


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_rounded_degradation_is_the_same_bits_with_any_thread_count(scale):
    hr = to_tensor(data.chelsea()[:288, :432].copy())
    threads = torch.get_num_threads()
    try:
        found = []
        for number in (1, 2):
            torch.set_num_threads(number)
            found.append(bicubic()(hr, scale))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(*found)
    assert torch.equal(found[0], bicubic()(hr.double(), scale).float())


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 255))
def test_constant_stays_constant(size, new_size, level):
    x = torch.full((1, 2, size, 3), level / 255, dtype=torch.float64)
    torch.testing.assert_close(resize_bicubic(x, new_size, 5), x[..., :1, :1].expand(-1, -1, new_size, 5))


@given(st.integers(1, 70), st.integers(1, 70))
def test_same_size_is_the_identity(height, width):
    x = torch.rand(1, 1, height, width, dtype=torch.float64)
    torch.testing.assert_close(resize_bicubic(x, height, width), x, rtol=0, atol=1e-14)


@given(st.integers(2, 30), st.integers(2, 30), st.integers(1, 60), st.integers(1, 60))
def test_commutes_with_mirroring_and_transposing(height, width, new_height, new_width):
    x = torch.rand(1, 1, height, width, dtype=torch.float64)
    found = resize_bicubic(x, new_height, new_width)
    mirrored = resize_bicubic(x.flip(-1, -2), new_height, new_width).flip(-1, -2)
    torch.testing.assert_close(mirrored, found, rtol=0, atol=1e-12)
    torch.testing.assert_close(resize_bicubic(x.mT, new_width, new_height).mT, found, rtol=0, atol=1e-12)


def test_float32_input_is_computed_in_float64():
    x = torch.rand(1, 3, 50, 70)
    assert torch.equal(resize_bicubic(x, 25, 35), resize_bicubic(x.double(), 25, 35).float())


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_interior_equals_pillow(scale):
    """Pillow has the same kernel and antialiasing; only its edges differ."""
    grey = data.camera()[:240, :360].astype(np.float32)
    golden = np.asarray(Image.fromarray(grey).resize((360 // scale, 240 // scale), Image.Resampling.BICUBIC))
    found = resize_bicubic(torch.from_numpy(grey)[None, None], 240 // scale, 360 // scale)[0, 0]
    np.testing.assert_allclose(found[3:-3, 3:-3], golden[3:-3, 3:-3], rtol=0, atol=2e-3)


def test_is_differentiable_even_after_use_in_inference_mode():
    """Weights made in inference mode and kept would refuse to take part in training."""
    with torch.inference_mode():
        resize_bicubic(torch.rand(1, 1, 37, 41), 74, 82)
    x = torch.rand(1, 1, 37, 41, requires_grad=True)
    resize_bicubic(x, 74, 82).sum().backward()
    torch.testing.assert_close(x.grad.sum(), torch.tensor(74.0 * 82), rtol=1e-5, atol=0)


def test_plugins_get_the_same_function():
    assert public_resize_bicubic is resize_bicubic


def test_sides_that_are_no_multiple_are_named():
    with pytest.raises(ValueError, match=r"\(1, 3, 9, 8\) are not multiples of the scale 2"):
        bicubic()(torch.zeros(1, 3, 9, 8), 2)


@pytest.mark.parametrize(
    ("x", "height", "words"),
    [
        (torch.zeros(3, 8, 8), 4, r"\(3, 8, 8\) torch.float32"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), 4, r"torch.uint8"),
        (torch.zeros(1, 3, 8, 8), 0, r"to 0×4: a side has no pixels"),
    ],
)
def test_what_cannot_be_resized_is_named(x, height, words):
    with pytest.raises(ValueError, match=words):
        resize_bicubic(x, height, 4)


@pytest.mark.parametrize(
    ("test", "scale", "grey_kept", "published"),
    [
        ("set5", 2, False, 33.69),
        ("set5", 4, False, 28.43),
        ("set14", 2, False, 30.35),
        ("set14", 4, False, 26.10),
        ("set14", 2, True, 30.25),
        ("set14", 4, True, 26.01),
    ],
)
def test_bicubic_scores_as_published(assets, test, scale, grey_kept, published):
    """Luma PSNR, LR not rounded, border = scale: the bicubic rows that MATLAB made for the literature."""
    scores = []
    for path in sorted((assets / "data" / test).glob("*.png")):
        pixels = read_picture(Picture(path.stem, path))
        hr = to_tensor(pixels).expand(-1, 3, -1, -1)
        height, width = (side // scale * scale for side in hr.shape[-2:])
        hr = hr[..., :height, :width]
        sr = resize_bicubic(bicubic(round=False)(hr, scale), height, width)
        scores.append(psnr(*prepare(sr, hr, ("y",), scale, grey_kept=grey_kept and pixels.ndim == 2)).item())
    assert sum(scores) / len(scores) == pytest.approx(published, abs=0.0051)
