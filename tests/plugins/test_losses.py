"""Pixel losses: closed forms, gradients, the relation of their reductions, and their errors."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from srbench_losses.pixel import charbonnier, l1, l2

OF_PIXEL = {
    charbonnier: lambda d: math.sqrt(d * d + 1e-3**2),
    l1: abs,
    l2: lambda d: d * d,
}
BUILDERS = list(OF_PIXEL)


@pytest.mark.parametrize("build", BUILDERS)
@given(
    difference=st.floats(-1, 1),
    batch=st.integers(1, 3),
    planes=st.integers(1, 3),
    height=st.integers(1, 7),
    width=st.integers(1, 7),
)
def test_constant_difference_has_its_closed_form(build, difference, batch, planes, height, width):
    """The mean is that of one pixel; the sum is that times the values of one picture, whatever the batch."""
    hr = torch.rand(batch, planes, height, width, dtype=torch.float64)
    sr = hr + difference
    expected = OF_PIXEL[build](difference)
    assert build()(sr, hr).item() == pytest.approx(expected, abs=1e-12)
    summed = build(reduction="sum")(sr, hr).item()
    assert summed == pytest.approx(expected * planes * height * width, abs=1e-9)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("build", BUILDERS)
def test_gradient_is_that_of_the_loss(build, reduction):
    generator = torch.Generator().manual_seed(0)
    hr = torch.rand(2, 2, 3, 3, dtype=torch.float64, generator=generator)
    sr = (hr + 0.1 + torch.rand(hr.shape, dtype=torch.float64, generator=generator)).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: build(reduction=reduction)(x, hr), sr)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("loss", [charbonnier(), charbonnier(eps=1e-15), l1(), l2()])
def test_equal_pictures_have_no_gradient(loss, dtype):
    """Zero, and no NaN: a network that is right about a flat area must survive it."""
    sr = torch.full((1, 1, 4, 4), 0.5, dtype=dtype, requires_grad=True)
    loss(sr, sr.detach().clone()).backward()
    assert torch.equal(sr.grad, torch.zeros_like(sr))


def test_charbonnier_of_equal_pictures_is_eps():
    sr = torch.rand(1, 3, 4, 4)
    assert charbonnier(eps=0.25)(sr, sr).item() == pytest.approx(0.25)


@pytest.mark.parametrize("eps", [0.0, -1e-3, math.nan, math.inf, 1e-30])
def test_charbonnier_refuses_an_eps_it_cannot_use(eps):
    with pytest.raises(ValueError, match=rf"positive, finite eps .*, not {eps}"):
        charbonnier(eps=eps)


@pytest.mark.parametrize("build", BUILDERS)
def test_unknown_reduction_is_refused(build):
    with pytest.raises(ValueError, match="'mean' or 'sum', not 'median'"):
        build(reduction="median")


@pytest.mark.parametrize("build", BUILDERS)
def test_shape_mismatch_names_both_shapes(build):
    """Broadcasting would average one plane against three."""
    with pytest.raises(ValueError, match=r"\(1, 1, 4, 4\).*\(1, 3, 4, 4\)"):
        build()(torch.zeros(1, 1, 4, 4), torch.zeros(1, 3, 4, 4))
