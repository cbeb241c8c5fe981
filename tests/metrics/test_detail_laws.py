"""Detail: its formulas against a second writing of them, laws on photographs, edge cases, and the map."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from degraded import as_tensor, blurred, moved, noise, to_8_bits
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage import data

from srbench.metrics.detail import Detail, detail, detail_map, detail_ratio, detail_rings

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
TEXTURE = ("detail", "invented", "presence", "slope")

PHOTOS = [
    np.asarray(photo[top : top + 256, left : left + 256], dtype=np.float64) / 255
    for photo, top, left in (
        (data.astronaut()[..., 0], 100, 120),
        (data.chelsea()[..., 0], 20, 100),
        (data.coffee()[..., 0], 100, 200),
        (data.rocket()[..., 0], 100, 180),
        (data.immunohistochemistry()[..., 0], 100, 100),
        (data.camera(), 100, 100),
        (data.gravel(), 0, 0),
        (data.brick(), 0, 0),
    )
]
HR = as_tensor(*PHOTOS[:4]).reshape(2, 2, 256, 256)
SR = as_tensor(*(to_8_bits(blurred(hr, 0.7) + noise(hr, 3 / 255)) for hr in PHOTOS[:4])).reshape(HR.shape)


def mean_over_photos(degrade, scale):
    """Means of `Detail` over the photographs, SR rounded."""
    hr = as_tensor(*PHOTOS)
    sr = as_tensor(*(to_8_bits(degrade(photo)) for photo in PHOTOS))
    return Detail(*(float(values.mean()) for values in detail(sr, hr, scale)))


def assert_alike(found, expected, tolerance=1e-4):
    for name, one, other in zip(Detail._fields, found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=tolerance, equal_nan=True, msg=name)


# Formulas


def by_the_formulas(y, x, scale):
    """`Detail` of one plane as docs/over-smoothing.md defines it, plainly: window by window, in float64."""
    n, eps = max(32, 2 ** int(np.ceil(np.log2(8 * scale)))), 4 / 255
    sigma = max(1.5, scale / 2)
    reach = int(np.ceil(3 * sigma))
    kernel = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    kernel /= kernel.sum()
    valid = (slice(reach, -reach),) * 2
    low_y, low_x = (
        ndimage.correlate1d(ndimage.correlate1d(one, kernel, 0), kernel, 1)[valid] for one in (y, x)
    )
    down, across = (one[1:-1, 1:-1].ravel() for one in np.gradient(low_x))
    inner = low_x[1:-1, 1:-1].ravel()
    columns = np.stack([down, across, inner - x.mean(), np.ones(inner.size)], axis=1)
    found = np.linalg.lstsq(columns, low_y[1:-1, 1:-1].ravel(), rcond=None)[0]
    contrast = np.clip(found[2], 0.5, 2)
    shift = -found[:2] / contrast
    if not np.isfinite(shift).all() or np.abs(shift).max() > 2:
        shift = np.zeros(2)

    # Half a spectrum, inner columns twice: in the Nyquist row, whose sign is open, this fixes the phase.
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n)
    hann = hann[:, None] * hann
    fy, fx = np.fft.fftfreq(n)[:, None], np.fft.rfftfreq(n)
    number = np.floor(n * np.hypot(fy, fx) + 0.5)
    twice = np.where((fx == 0) | (fx == 0.5), 1, 2)
    k = np.array([k for k in range(n + 1) if n / (2 * scale) < k <= n / 2])
    rings = [twice * (number == one) for one in k]
    turn = np.exp(2j * np.pi * (fy * shift[0] + fx * shift[1]))
    xx, yy, xy, mean = [], [], [], []
    top, left = ((side - n) % (n // 2) // 2 for side in x.shape)
    for i in range(top, x.shape[0] - n + 1, n // 2):
        for j in range(left, x.shape[1] - n + 1, n // 2):
            one_x, one_y = x[i : i + n, j : j + n], y[i : i + n, j : j + n]
            mean.append((hann * one_y).sum() / hann.sum())
            of_x = np.fft.rfft2(hann * (one_x - (hann * one_x).sum() / hann.sum()))
            of_y = np.fft.rfft2(hann * (one_y - mean[-1])) / contrast
            for values, power in (
                (xx, np.abs(of_x) ** 2),
                (yy, np.abs(of_y) ** 2),
                (xy, (of_x.conj() * of_y * turn).real),
            ):
                values.append([(ring * power).sum() / (n**2 * (hann**2).sum()) for ring in rings])
    xx, yy, xy, mean = map(np.array, (xx, yy, xy, mean))

    e = xx.sum(axis=1)
    omega = 1 / (e + eps**2)
    s = omega @ xx
    r = s / (s + np.array([ring.sum() for ring in rings]) / (255 * n) ** 2 * omega.sum()) / k
    r /= r.sum()
    recovered = (r * (omega @ xy) / s).sum()
    u = np.maximum(yy - xy**2 / np.maximum(xx, 1e-20), 0) * k / (k - 1)
    kept = (mean >= 16 / 255) & (mean <= 1 - 16 / 255)
    if kept.sum() < 16:
        kept[:] = True
    u, texture, e_kept = u[kept], xx[kept], e[kept]
    c = eps**2 + np.median(u.sum(axis=1))
    nu, z = 1 / (e_kept + c), np.log(e_kept + c)
    v = nu * (z - (nu * z).sum() / nu.sum())
    above, under = v @ u, v @ texture
    made = np.sqrt(max(0, (r * np.where(under > 0, above / under, 0)).sum()))
    presence = np.hypot(max(recovered, 0), made)
    return Detail(
        recovered, made, presence, xy.sum() / yy.sum(), contrast, np.hypot(*shift), (e * omega).mean()
    )


@pytest.mark.parametrize("scale", [2, 3, 4, 5, 8])
@pytest.mark.parametrize(
    "degrade",
    [
        lambda hr: blurred(hr, 0.6) + noise(hr, 5 / 255),
        lambda hr: 0.8 * moved(hr, 0.3) + 0.05,
        lambda hr: hr + 0.5 * (hr - blurred(hr, 1.0)),
        lambda hr: ndimage.median_filter(hr, 3),
        lambda hr: np.roll(hr, 7, axis=1),  # past two pixels
    ],
    ids=["blur and noise", "moved and paler", "sharpened", "median", "far away"],
)
def test_equals_a_second_writing_of_its_formulas(degrade, scale):
    for photo in (PHOTOS[0][:200, :177], PHOTOS[3][:131]):
        sr = to_8_bits(degrade(photo))
        found = [float(value) for value in detail(as_tensor(sr), as_tensor(photo), scale)]
        assert found == pytest.approx(list(by_the_formulas(sr, photo, scale)), abs=1e-4)


# Laws


@settings(max_examples=25)
@given(st.data(), st.sampled_from([2, 3, 4]))
def test_hr_has_all_of_its_detail(data, scale):
    height, width = data.draw(st.integers(32, 90)), data.draw(st.integers(32, 90))
    top, left = data.draw(st.integers(0, 256 - height)), data.draw(st.integers(0, 256 - width))
    hr = HR[..., top : top + height, left : left + width]
    found = detail(hr, hr, scale)
    textured = found.content >= 0.05
    assert torch.equal(textured, ~found.detail.isnan())
    for values, expected in zip(found[:6], (1, 0, 1, 1, 1, 0), strict=True):
        assert ((values - expected).abs()[textured] <= 1e-5).all()
    assert ((found.content >= 0) & (found.content <= 1)).all()


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
@pytest.mark.parametrize("level", [2, 5, 10])
def test_independent_noise_does_not_pass_for_detail(scale, level):
    for sigma in (0, 1.0):
        clean = mean_over_photos(lambda hr, sigma=sigma: blurred(hr, sigma), scale)
        noisy = mean_over_photos(lambda hr, sigma=sigma: blurred(hr, sigma) + noise(hr, level / 255), scale)
        assert noisy.detail == pytest.approx(clean.detail, abs=0.03)
        assert noisy.slope < clean.slope


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_detail_falls_with_blur(scale):
    sigmas = np.linspace(0, 2, 11)
    found = [mean_over_photos(lambda hr, sigma=sigma: blurred(hr, sigma), scale) for sigma in sigmas]
    for name in ("detail", "presence"):
        assert (np.diff([getattr(one, name) for one in found]) < 0).all()


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
@pytest.mark.parametrize(
    "degrade",
    [
        lambda hr: 0.8 * hr,
        lambda hr: 0.9 * hr + 0.1,
        lambda hr: hr + 0.05,
        lambda hr: hr**0.9,
        lambda hr: hr**1.1,
        lambda hr: moved(hr, 0.25),
        lambda hr: moved(hr, 0.5),
        lambda hr: 0.8 * moved(hr, 0.5) + 0.1,
        lambda hr: np.roll(hr, (1, -1), axis=(0, 1)),
    ],
    ids=["darker", "paler", "lighter", "gamma 0.9", "gamma 1.1", "moved ¼", "moved ½", "both", "moved 1"],
)
def test_tone_and_a_small_shift_are_taken_out(degrade, scale):
    assert mean_over_photos(degrade, scale).detail == pytest.approx(1, abs=0.05)


def test_contrast_and_shift_are_what_was_done():
    found = mean_over_photos(lambda hr: 0.8 * moved(hr, 0.5) + 0.1, 4)
    assert found.contrast == pytest.approx(0.8, abs=0.01)
    assert found.shift == pytest.approx(0.5**0.5, abs=0.03)


def test_an_inverted_picture_has_negative_detail_and_no_presence_of_it():
    sr = as_tensor(1 - PHOTOS[0])
    found = detail(sr, as_tensor(PHOTOS[0]), 2)
    assert found.detail < -0.5
    torch.testing.assert_close(found.presence, found.invented)


# Edge cases; a warning anywhere fails, as in all tests


@pytest.mark.parametrize(
    "hr", [torch.full((1, 1, 64, 80), 0.4), torch.linspace(0, 1, 80).expand(1, 1, 64, 80)]
)
def test_flat_hr_has_no_answer_whatever_sr_is(hr):
    for sr in (hr, torch.rand(hr.shape, generator=torch.Generator().manual_seed(0))):
        found = detail(sr, hr, 2)
        assert all(getattr(found, name).isnan().all() for name in TEXTURE)
        assert (found.content < 0.05).all()


@pytest.mark.parametrize(("scale", "window"), [(2, 32), (3, 32), (4, 32), (5, 64), (8, 64), (9, 128)])
def test_a_side_shorter_than_a_window_has_no_answer(scale, window):
    hr = HR[..., :window, :window]
    assert not detail(hr, hr, scale).content.isnan().any()
    assert detail_map(hr, hr, scale).gain.shape == (2, 2, 1, 1)
    for small in (hr[..., :-1, :], hr[..., :-1], hr[..., :1, :1], hr[..., :0, :]):
        for values in detail(small, small, scale):
            assert values.shape == (2, 2)
            assert values.isnan().all()
        assert detail_map(small, small, scale).gain.numel() == 0


def test_no_picture_has_no_values():
    assert detail(HR[:0], HR[:0], 2).detail.shape == (0, 2)
    assert detail(HR[:, :0], HR[:, :0], 2).detail.shape == (2, 0)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_a_broken_plane_leaves_the_others_alone(bad):
    whole, sr = detail(SR, HR, 4), SR.clone()
    sr[0, 1, 100, 7] = bad
    broken = torch.tensor([[False, True], [False, False]])
    for values, before in zip(detail(sr, HR, 4), whole, strict=True):
        assert torch.equal(values.isnan(), broken)
        assert torch.equal(values[~broken], before[~broken])
    assert torch.equal(detail_map(sr, HR, 4).gain.isnan().all(dim=-1).all(dim=-1), broken)


@pytest.mark.parametrize("level", [0, 0.3, 127 / 255, 1])
@pytest.mark.parametrize("scale", [2, 8])
def test_a_constant_sr_has_no_detail(level, scale):
    found = detail(torch.full_like(HR, level), HR, scale)
    for values in found[:3]:
        torch.testing.assert_close(values, torch.zeros(2, 2, dtype=torch.float64), rtol=0, atol=1e-9)
    assert found.slope.isnan().all()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_neither_batch_nor_order_nor_dtype_nor_device_moves_a_value(scale, device):
    expected = detail(SR, HR, scale)
    sr, hr = SR.to(device), HR.to(device)
    assert all(values.dtype == torch.float64 for values in expected)
    single = detail(sr.float(), hr.float(), scale)
    assert_alike([values.cpu() for values in single], expected)
    assert all(values.device.type == device for values in single)
    turned = detail(sr.flip(0, 1), hr.flip(0, 1), scale)
    assert_alike([values.flip(0, 1).cpu() for values in turned], expected)
    for n, c in np.ndindex(2, 2):
        alone = detail(sr[n : n + 1, c : c + 1], hr[n : n + 1, c : c + 1], scale)
        assert_alike([values[0, 0].cpu() for values in alone], [values[n, c] for values in expected])
    with torch.autocast(device, dtype=torch.bfloat16):
        assert_alike([values.cpu() for values in detail(sr.float(), hr.float(), scale)], expected)
    with torch.inference_mode():
        assert_alike([values.cpu() for values in detail(sr, hr, scale)], expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_measured_in_single(dtype):
    sr, hr = SR.to(dtype), HR.to(dtype)
    assert_alike(detail(sr, hr, 2), detail(sr.float(), hr.float(), 2), tolerance=0)


def test_strips_change_nothing(monkeypatch):
    whole = detail(SR, HR, 4)
    for pixels in (1, 50_000, 1 << 30):
        monkeypatch.setattr("srbench.metrics.detail._STRIP", pixels)
        assert_alike(detail(SR, HR, 4), whole, tolerance=1e-6)


def test_one_window_cannot_tell_texture_from_noise():
    """It is a regression over windows; with one, or all alike, `invented` is 0 however rounding falls."""
    for photo in PHOTOS:
        for top in range(0, 216, 30):
            hr = as_tensor(photo[top : top + 40, 100:140])
            assert detail(hr.roll(5, dims=-1), hr, 2).invented.nan_to_num() == 0
    hr = as_tensor(np.tile(PHOTOS[6][:16, :16], (8, 8)))
    assert detail(hr.roll(3, dims=-1), hr, 2).invented == 0


def test_ratio_is_its_first_value():
    assert torch.equal(detail_ratio(SR, HR, 4), detail(SR, HR, 4).detail)


@pytest.mark.parametrize("function", [detail, detail_ratio, detail_map, detail_rings])
def test_shapes_that_differ_and_odd_scales_are_named(function):
    with pytest.raises(ValueError, match=r"\(1, 3, 64, 64\).*\(1, 3, 64, 65\)"):
        function(torch.zeros(1, 3, 64, 64), torch.zeros(1, 3, 64, 65), 2)
    with pytest.raises(ValueError, match=r"\(64, 64\).*\(64, 64\)"):
        function(torch.zeros(64, 64), torch.zeros(64, 64), 2)
    for scale in (1, 0, -2, 2.5, 2.0, True, "2", None):
        with pytest.raises(ValueError, match=r"integer from 2.*\(1, 3, 64, 64\).*\(1, 3, 64, 64\)"):
            function(torch.zeros(1, 3, 64, 64), torch.zeros(1, 3, 64, 64), scale)


MEMORY = """
import sys, torch
from pathlib import Path
from srbench.metrics.detail import detail, detail_map
def peak():
    # Not getrusage: its peak is that of the large process that started this one.
    (line,) = [one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith("VmHWM")]
    return int(line.split()[1]) * 1024
function = {"detail": detail, "detail_map": detail_map}[sys.argv[1]]
hr = torch.rand(1, 4, 2048, 4096, generator=torch.Generator().manual_seed(0))
sr = hr.clone().mul_(0.9)
function(sr[..., :64, :64], hr[..., :64, :64], 4)
before = peak()
function(sr, hr, 4)
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc, which Linux alone has")
@pytest.mark.parametrize("function", ["detail", "detail_map"])
def test_eight_megapixels_take_less_than_one_gibibyte(function):
    """The four planes of a picture, above what SR, HR and torch itself take."""
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, function], check=True, capture_output=True, text=True
    )
    assert 0 < int(done.stdout) < 1 << 30


# The map


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_the_maps_mean_is_detail(scale):
    """Weighted; also where HR has sky, whose windows weigh little but are many (the rocket's)."""
    found, expected = detail_map(SR, HR, scale), detail(SR, HR, scale).detail
    rows = (256 - found.window) // found.stride + 1
    assert found.gain.shape == found.weight.shape == (2, 2, rows, rows)
    assert (found.weight >= 0).all()
    mean = (found.gain * found.weight).nansum(dim=(-2, -1))
    torch.testing.assert_close(mean, expected, rtol=0, atol=1e-6)
    total = found.weight.sum(dim=(-2, -1))
    torch.testing.assert_close(total, torch.ones_like(total), rtol=0, atol=1e-9)


def test_the_grid_lies_in_the_middle():
    found = detail_map(HR[..., :100, :73], HR[..., :100, :73], 4)
    assert found[2:] == (2, 4, 32, 16)
    assert found.gain.shape[-2:] == (5, 3)
    torch.testing.assert_close(found.gain, torch.ones_like(found.gain))


def test_the_map_shows_the_half_that_is_blurred():
    hr = np.tile(PHOTOS[6], (1, 2))
    sr = np.concatenate([blurred(PHOTOS[6], 1.5), PHOTOS[6]], axis=1)
    found = detail_map(as_tensor(to_8_bits(sr)), as_tensor(hr), 4)
    first = found.left + found.stride * torch.arange(found.gain.shape[-1])
    left, right = found.gain[0, 0][:, first + found.window <= 256], found.gain[0, 0][:, first >= 256]
    assert left.max() < 0.3
    assert left.mean() == pytest.approx(0.12, abs=0.05)
    assert (right - 1).abs().max() < 0.1  # the contrast taken out is that of the whole picture, 0.95


def test_the_map_has_no_answer_where_hr_has_nothing():
    hr = HR[:1, :1].clone()
    hr[..., :128] = 0.3
    found = detail_map(SR[:1, :1], hr, 2)
    assert found.gain[0, 0, :, :7].isnan().all()
    assert not found.gain[0, 0, :, 7:].isnan().any()


# By frequency


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_the_rings_come_to_the_value(scale):
    found = detail_rings(SR, HR, scale)
    expected = detail(SR, HR, scale).detail
    torch.testing.assert_close((found.gain * found.weight).sum(dim=-1), expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(found.weight.sum(dim=-1), torch.ones_like(expected))
    assert found.frequency[0] > 0.5 / scale
    assert found.frequency[-1] == 0.5


def test_a_ring_that_was_taken_out_of_sr_has_no_detail():
    spectrum = torch.fft.rfft2(HR)
    fy = torch.fft.fftfreq(HR.shape[-2])[:, None]
    fx = torch.fft.rfftfreq(HR.shape[-1])
    sr = torch.fft.irfft2(spectrum * ((fy.square() + fx.square()).sqrt() < 0.3), s=HR.shape[-2:])
    found = detail_rings(sr, HR, 4)
    low, high = found.frequency < 0.25, found.frequency > 0.35
    assert (found.gain[..., low] > 0.95).all()
    assert (found.gain[..., high].abs() < 0.05).all()


def test_rings_have_no_answer_where_detail_has_none():
    flat = torch.full_like(HR, 0.5)
    small = HR[..., :16, :]
    for sr, hr in ((HR, flat), (small, small)):
        found = detail_rings(sr, hr, 4)
        assert found.gain.shape == (2, 2, 12)
        assert found.gain.isnan().all()
        assert found.weight.isnan().all()
