"""What metrics see: rounding, then luma, then the border; and the protocol's text and hash."""

import pytest
import torch
from pydantic import ValidationError

from srbench.images.colour import rgb_to_y
from srbench.metrics.protocol import Protocol, prepare

PSNR_Y = Protocol(degradation="bicubic:round=true", plane="y", border=4, metric="psnr")


def pair(*shape, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    return [torch.rand(shape, generator=generator, dtype=dtype) * 1.2 - 0.1 for _ in range(2)]


def levels(x):
    """Independent of `quantise`: what PIL would store, without exact ties."""
    return (x.clamp(0, 1) * 255).round() / 255


@pytest.mark.parametrize("border", [0, 1, 4])
def test_order_is_round_luma_crop(border):
    sr, hr = pair(2, 3, 12, 15)
    for prepared, x in zip(prepare(sr, hr, ("g", "y", "r"), border), (sr, hr), strict=True):
        rgb = levels(x)
        expected = torch.cat([rgb[:, 1:2], rgb_to_y(rgb), rgb[:, :1]], dim=1)
        expected = expected[..., border : 12 - border, border : 15 - border]
        torch.testing.assert_close(prepared, expected, rtol=0, atol=1e-6)
        assert prepared.dtype == torch.float32


def test_luma_is_not_rounded_again():
    sr, hr = pair(1, 3, 8, 8)
    luma = prepare(sr, hr, ("y",), 0)[0] * 255
    assert (luma - luma.round()).abs().max() > 0.1


def test_rgb_is_the_three_planes():
    sr, hr = pair(1, 3, 8, 8)
    assert torch.equal(prepare(sr, hr, ("rgb",), 1)[0], prepare(sr, hr, ("r", "g", "b"), 1)[0])


@pytest.mark.parametrize("plane", ["r", "g", "b"])
def test_single_plane_run_has_that_plane_alone(plane):
    sr, hr = pair(1, 1, 8, 8)
    prepared = prepare(sr, hr, (plane,), 2)
    torch.testing.assert_close(prepared[0], levels(sr)[..., 2:-2, 2:-2], rtol=0, atol=1e-7)


def test_kept_grey_is_the_plane_itself_to_the_bit():
    grey = torch.arange(256.0).reshape(1, 1, 16, 16) / 255
    sr, hr = grey.expand(-1, 3, -1, -1), grey.flip(-1).expand(-1, 3, -1, -1)
    for prepared, x in zip(prepare(sr, hr, ("y",), 0, grey_kept=True), (sr, hr), strict=True):
        assert torch.equal(prepared, x[:, :1])


def test_kept_grey_joins_planes_that_differ_into_levels():
    sr = torch.zeros(1, 3, 4, 4)
    sr[:, 1] = 1
    luma = prepare(sr, sr, ("y",), 0, grey_kept=True)[0]
    torch.testing.assert_close(luma, torch.full((1, 1, 4, 4), 150 / 255))


def test_nan_and_infinity_stay_visible():
    sr, hr = pair(1, 3, 8, 8)
    sr[0, 0, 0, 0] = torch.inf
    prepared = prepare(sr, hr, ("r", "g", "y"), 0)[0].isfinite().all(dim=(2, 3))
    assert prepared.tolist() == [[False, True, False]]


@pytest.mark.parametrize(
    ("shapes", "planes", "border", "words"),
    [
        (((1, 3, 8, 8), (1, 3, 8, 9)), ("y",), 0, r"\(1, 3, 8, 8\) and \(1, 3, 8, 9\)"),
        (((3, 8, 8), (3, 8, 8)), ("y",), 0, r"\(3, 8, 8\) and \(3, 8, 8\)"),
        (((1, 3, 8, 20),) * 2, ("y",), 4, r"border of 4 pixels leaves nothing of \(1, 3, 8, 20\)"),
        (((1, 1, 8, 8),) * 2, ("y",), 0, r"y need \(N, 3, H, W\), not \(1, 1, 8, 8\)"),
        (((1, 1, 8, 8),) * 2, ("r", "g"), 0, r"r, g need \(N, 3, H, W\)"),
        (((1, 3, 8, 8),) * 2, ("rgb", "y"), 0, "or rgb alone; not rgb, y"),
        (((1, 3, 8, 8),) * 2, (), 0, "not none"),
    ],
)
def test_what_does_not_fit_is_named(shapes, planes, border, words):
    with pytest.raises(ValueError, match=words):
        prepare(torch.zeros(shapes[0]), torch.zeros(shapes[1]), planes, border)


def test_canonical_text_and_hash_are_golden():
    """Stored with every score: if this fails, scores on disk no longer match their own protocol."""
    assert PSNR_Y.canonical() == (
        '{"border":4,"colour":"bt601-studio","degradation":"bicubic:round=true","facts":{},"grey":"rgb",'
        '"inference":{"precision":"fp32","self_ensemble":false,"tile":null},"metric":"psnr","plane":"y",'
        '"quantise":"8bit","settings":{}}'
    )
    assert PSNR_Y.hash == "bf22a0fe"


@pytest.mark.parametrize(
    "change",
    [
        {"degradation": "bicubic:round=false"},
        {"grey": "keep"},
        {"plane": "r"},
        {"border": 2},
        {"metric": "ssim"},
        {"settings": {"edge": "valid"}},
        {"facts": {"window": 11}},
        {"inference": {"precision": "bf16"}},
    ],
)
def test_every_field_moves_the_hash(change):
    assert PSNR_Y.model_copy(update=change).hash != PSNR_Y.hash


def test_protocol_comes_back_from_its_text():
    assert Protocol.model_validate_json(PSNR_Y.canonical()) == PSNR_Y


@pytest.mark.parametrize("change", [{"grey": "mean"}, {"border": -1}, {"window": 11}])
def test_protocol_refuses_what_it_does_not_know(change):
    with pytest.raises(ValidationError, match=next(iter(change))):
        Protocol(**{**PSNR_Y.model_dump(), **change})
