"""What srbench promises of every model, and what this one promises beside that."""

import pytest
import torch
from srbench.testing import conformance_tests

from srbench_example_model.network import Branches, Network, build
from srbench_example_model.recipes import long, short

test_conformance = conformance_tests("model", "folded:features=8,layers=2")


@pytest.mark.parametrize(("planes", "scale"), [(1, 2), (3, 3)])
def test_the_folded_network_gives_the_same_pictures_with_fewer_parameters(planes: int, scale: int) -> None:
    torch.manual_seed(0)
    network = Network(planes, scale, features=6, layers=3).double()
    folded = network.deployed()
    lr = torch.rand(2, planes, 9, 7, dtype=torch.float64)
    torch.testing.assert_close(folded(lr), network(lr), rtol=0, atol=1e-12)
    assert not any(isinstance(one, Branches) for one in folded.modules())
    counts = [sum(one.numel() for one in each.parameters()) for each in (network, folded)]
    assert counts[0] - counts[1] == 3 * 6 * 6


def test_folding_leaves_the_network_itself_as_it_was() -> None:
    network = Network(1, 2, features=4, layers=1)
    before = {name: one.clone() for name, one in network.state_dict().items()}
    network.deployed()
    assert all(torch.equal(one, before[name]) for name, one in network.state_dict().items())


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_patches_are_multiples_of_the_scale(scale: int) -> None:
    assert (short(scale)["patch"], long(scale)["patch"]) == (24 * scale, 48 * scale)


def test_a_count_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="features=0 and layers=4 must be 1 or more"):
        build(planes=1, scale=2, features=0)
