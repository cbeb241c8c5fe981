"""BT.601 studio range: golden colours, agreement with scikit-image, an exact inverse."""

import numpy as np
import pytest
import torch
from skimage import color, data

from srbench.images.colour import rgb_to_y, rgb_to_ycbcr, ycbcr_to_rgb

PHOTO = torch.from_numpy(data.astronaut()[:40, 200:260].copy()).permute(2, 0, 1)[None].double() / 255


@pytest.mark.parametrize(
    ("rgb", "ycbcr"),
    [
        ((0, 0, 0), (16, 128, 128)),
        ((1, 1, 1), (235, 128, 128)),
        ((1, 0, 0), (81.481, 90.203, 240)),
        ((0, 0, 1), (40.966, 240, 109.786)),
    ],
)
def test_corners_of_the_colour_cube(rgb, ycbcr):
    """Source: the coefficients of ITU-R BT.601 as MATLAB's rgb2ycbcr documents them."""
    found = rgb_to_ycbcr(torch.tensor(rgb, dtype=torch.float64).reshape(1, 3, 1, 1)) * 255
    np.testing.assert_allclose(found.flatten(), ycbcr, atol=1e-9)


def test_photograph_matches_scikit_image():
    golden = color.rgb2ycbcr(PHOTO[0].permute(1, 2, 0).numpy())
    np.testing.assert_allclose(rgb_to_ycbcr(PHOTO)[0].permute(1, 2, 0) * 255, golden, atol=1e-9)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-14)])
def test_luma_is_the_first_plane_and_the_inverse_is_exact(dtype, tolerance):
    rgb = PHOTO.to(dtype)
    ycbcr = rgb_to_ycbcr(rgb)
    assert rgb_to_y(rgb).dtype == ycbcr.dtype == dtype
    assert torch.equal(rgb_to_y(rgb), ycbcr[:, :1])
    torch.testing.assert_close(ycbcr_to_rgb(ycbcr), rgb, rtol=0, atol=tolerance)


def test_inverse_is_differentiable_and_not_clamped():
    ycbcr = torch.rand(1, 3, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(ycbcr_to_rgb, ycbcr)
    assert ycbcr_to_rgb(torch.ones(1, 3, 1, 1)).max() > 1


@pytest.mark.parametrize("convert", [rgb_to_y, rgb_to_ycbcr, ycbcr_to_rgb])
def test_another_number_of_planes_is_named(convert):
    with pytest.raises(ValueError, match=r"\(N, 3, H, W\), not \(1, 1, 4, 4\)"):
        convert(torch.zeros(1, 1, 4, 4))
