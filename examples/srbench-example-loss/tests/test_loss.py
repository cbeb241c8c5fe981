"""What srbench promises of every loss, and what this one promises beside that."""

import pytest
import torch
from srbench.api import SizeError
from srbench.testing import conformance_tests

from srbench_example_loss.loss import Balanced

test_conformance = conformance_tests("loss", "balanced")


def pictures(error: float) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    hr = torch.rand(2, 1, 16, 16)
    return hr + error * torch.randn(hr.shape), hr


def test_the_first_batch_costs_one_whatever_its_error() -> None:
    """Each band is divided by its usual error, which is that of the first batch."""
    for error in (0.001, 0.1, 3.0):
        torch.testing.assert_close(Balanced()(*pictures(error)), torch.tensor(1.0))


def test_error_that_halves_costs_half_of_what_it_did() -> None:
    loss = Balanced(bands=1, memory=0.9999)
    for _ in range(50):
        loss(*pictures(0.2))
    torch.testing.assert_close(loss(*pictures(0.1)), torch.tensor(0.5), rtol=0, atol=0.02)


def test_what_stays_uncertain_is_heeded_less() -> None:
    """The weights learnt are those at which the slope is nothing: exp(−s) · share = 1."""
    loss = Balanced(bands=2, memory=0.0)
    optimizer = torch.optim.Adam(loss.parameters(), lr=0.05)
    sr, hr = pictures(0.2)
    loss.s.data = torch.tensor([1.0, -1.0])
    for _ in range(300):
        optimizer.zero_grad()
        loss(sr, hr).backward()
        optimizer.step()
    torch.testing.assert_close(loss.s.detach(), torch.zeros(2), rtol=0, atol=0.01)


def test_its_state_is_all_that_a_copy_needs_to_go_on() -> None:
    loss = Balanced()
    for error in (0.3, 0.2, 0.1):
        loss(*pictures(error)).backward()
    other = Balanced()
    other.load_state_dict(loss.state_dict())
    assert torch.equal(loss(*pictures(0.05)), other(*pictures(0.05)))
    assert sorted(loss.state_dict()) == ["s", "seen", "usual"]


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match=r"bands=0 must be 1 or more, and memory=0\.99 from 0 to below 1"):
        Balanced(bands=0)
    with pytest.raises(SizeError, match="balanced with 3 bands needs at least 4 pixels a side"):
        Balanced()(torch.rand(1, 1, 3, 9), torch.rand(1, 1, 3, 9))
