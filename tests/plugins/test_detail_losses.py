"""Losses that ask for detail: against independent code, gradients, what they ask of high frequencies."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from srbench_losses.detail import ffl, gradient, laplacian
from srbench_losses.pixel import l1, l2

BUILDERS = (gradient, ffl, laplacian)


def pair(height=17, width=20, planes=2, batch=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shape = (batch, planes, height, width)
    hr = torch.rand(shape, dtype=torch.float64, generator=generator)
    return hr + 0.3 * torch.randn(shape, dtype=torch.float64, generator=generator), hr


def test_gradient_is_that_of_numpy():
    sr, hr = pair()
    error = (sr - hr).numpy()
    expected = np.abs(np.diff(error, axis=-2)).mean() + np.abs(np.diff(error, axis=-1)).mean()
    assert gradient()(sr, hr).item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("height", "width"), [(1, 6), (6, 1), (1, 1)])
def test_gradient_of_a_single_row_or_column_is_that_along_the_other_axis(height, width):
    sr, hr = pair(height, width)
    sr.requires_grad_()
    loss = gradient()(sr, hr)
    loss.backward()
    along = np.diff((sr - hr).detach().numpy().reshape(-1, max(height, width)))
    assert loss.item() == pytest.approx(np.abs(along).mean() if along.size else 0, abs=1e-12)
    assert sr.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_ffl_with_a_large_alpha_sees_the_worst_frequency_of_each_plane_alone(dtype):
    """The limit of the formula: that frequency and its mirror image have weight 1, all others 0."""
    sr, hr = (one.to(dtype) for one in pair(16, 16))
    loss = ffl(alpha=1e4)(1e-3 * sr, 1e-3 * hr)
    spectrum = np.abs(np.fft.fft2(1e-3 * (sr - hr).double().numpy(), norm="ortho")).reshape(4, -1)
    worst = spectrum.max(axis=-1)
    twice = (spectrum > worst[:, None] * (1 - 1e-9)).sum(axis=-1)
    assert loss.item() == pytest.approx((twice * worst**2).sum() / spectrum.size, rel=1e-2)


@pytest.mark.parametrize(("alpha", "patch_factor"), [(1.0, 1), (0.5, 1), (1.0, 2), (0.0, 1)])
def test_ffl_is_that_of_numpy(alpha, patch_factor):
    sr, hr = pair(16, 20)
    found = []
    for plane in (sr - hr).reshape(-1, 16, 20).numpy():
        for rows in np.split(plane, patch_factor, axis=0):
            for piece in np.split(rows, patch_factor, axis=1):
                distance = np.abs(np.fft.fft2(piece, norm="ortho"))
                found.append((distance**alpha / (distance**alpha).max() * distance**2).mean())
    assert ffl(alpha, patch_factor)(sr, hr).item() == pytest.approx(np.mean(found), rel=1e-12)


def test_ffl_without_focus_is_the_squared_error():
    """Parseval: an orthonormal transform keeps the mean square."""
    sr, hr = pair()
    assert ffl(alpha=0)(sr, hr).item() == pytest.approx(l2()(sr, hr).item(), rel=1e-12)


def by_hand(error, levels):
    """Burt and Adelson's pyramid, with scipy; the kernel is renormalised on the sparse grid."""
    tap = np.array([1, 4, 6, 4, 1]) / 16

    def blurred(plane):
        return ndimage.convolve1d(ndimage.convolve1d(plane, tap, axis=0, mode="nearest"), tap, mode="nearest")

    total, left = 0.0, error
    for _ in range(levels):
        smaller = blurred(left)[::2, ::2]
        sparse, mask = np.zeros_like(left), np.zeros_like(left)
        sparse[::2, ::2], mask[::2, ::2] = smaller, 1
        total += np.abs(left - blurred(sparse) / blurred(mask)).mean()
        left = smaller
    return total + np.abs(left).mean()


@pytest.mark.parametrize(("height", "width", "levels"), [(16, 24, 3), (17, 21, 2), (8, 8, 3)])
def test_laplacian_is_that_of_scipy(height, width, levels):
    sr, hr = pair(height, width, planes=1, batch=1)
    expected = by_hand((sr - hr)[0, 0].numpy(), levels)
    assert laplacian(levels)(sr, hr).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("build", BUILDERS)
def test_gradient_is_that_of_the_loss(build):
    sr, hr = pair(8, 9, planes=1)
    loss = build(alpha=0) if build is ffl else build()  # the weight of ffl is no part of its gradient
    assert torch.autograd.gradcheck(lambda x: loss(x, hr), sr.requires_grad_())


def test_the_weight_of_ffl_is_no_part_of_its_gradient():
    sr, hr = pair(8, 8, planes=1, batch=1)
    ffl()(sr.requires_grad_(), hr).backward()
    spectrum = np.fft.fft2((sr - hr).detach().numpy()[0, 0], norm="ortho")
    weight = np.abs(spectrum) / np.abs(spectrum).max()
    expected = 2 / 64 * np.fft.ifft2(weight * spectrum, norm="ortho").real
    assert np.allclose(sr.grad[0, 0].numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("build", BUILDERS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equal_pictures_cost_nothing_and_have_no_gradient(build, dtype):
    hr = torch.rand(1, 1, 16, 16, dtype=dtype)
    sr = hr.clone().requires_grad_()
    loss = build()(sr, hr)
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(sr.grad, torch.zeros_like(sr))


@pytest.mark.parametrize("build", BUILDERS)
def test_a_batch_costs_the_mean_of_its_pictures(build):
    sr, hr = pair(16, 16)
    alone = [build()(sr[n : n + 1], hr[n : n + 1]).item() for n in range(2)]
    assert build()(sr, hr).item() == pytest.approx(np.mean(alone), rel=1e-6)


@pytest.mark.parametrize("build", BUILDERS)
def test_shapes_must_be_equal(build):
    with pytest.raises(ValueError, match=r"SR \(1, 1, 16, 16\) and HR \(1, 3, 16, 16\) differ in shape"):
        build()(torch.rand(1, 1, 16, 16), torch.rand(1, 3, 16, 16))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ffl(alpha=-1), "alpha from 0"),
        (lambda: ffl(patch_factor=0), "patch_factor from 1"),
        (lambda: laplacian(0), "at least 1 level"),
        (lambda: laplacian(4)(*pair(8, 32)), "needs at least 16 pixels a side, not 32×8"),
        (lambda: ffl(patch_factor=3)(*pair(8, 8)), "needs sides that are multiples of 3, not 8×8"),
    ],
)
def test_what_cannot_be_is_said(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def energy_above_a_quarter(build, seed=0):
    """Share of the gradient's energy above 1/4 cycle a pixel, for an error that falls with frequency."""
    frequency = np.hypot(np.fft.fftfreq(64)[:, None], np.fft.fftfreq(64))
    noise = np.random.default_rng(seed).normal(size=(8, 64, 64))
    error = np.fft.ifft2(np.fft.fft2(noise) / (0.02 + frequency)).real
    sr = torch.from_numpy(0.05 * error / error.std())[:, None].requires_grad_()
    build()(sr, torch.zeros_like(sr)).backward()
    power = np.abs(np.fft.fft2(sr.grad[:, 0].numpy())) ** 2
    return power[:, frequency > 0.25].sum() / power.sum()


def test_what_each_loss_asks_of_high_frequencies():
    """`gradient` asks far more of them than pixel losses, `laplacian` as much as l2. `ffl` asks least: the
    worst frequencies of such an error, which it favours, are low ones."""
    share = {build: energy_above_a_quarter(build) for build in (l2, l1, gradient, laplacian, ffl)}
    assert share[l2] < share[l1] < share[gradient] / 1.5
    assert share[laplacian] == pytest.approx(share[l2], rel=0.1)
    assert share[ffl] < share[l2] / 5
