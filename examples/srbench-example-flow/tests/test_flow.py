"""What srbench promises of every model and trainer, and what these promise beside that."""

import pytest
import torch
from srbench.testing import conformance_tests
from torch import nn

from srbench_example_flow.network import Velocity
from srbench_example_flow.trainer import Flow

test_model = conformance_tests("model", "velocity:features=8,depth=2")
test_trainer = conformance_tests("trainer", "flow:walk=2")


def test_a_network_that_says_stand_still_leaves_the_bicubic_picture() -> None:
    network = Velocity(planes=1, scale=2, features=4, depth=0)
    for one in network.parameters():
        nn.init.zeros_(one)
    lr = torch.rand(2, 1, 6, 5)
    rng = torch.Generator().manual_seed(0)
    sr = Flow(walk=3, noise=0).predict({"network": network}, lr, 2, rng)
    assert torch.equal(sr, network.enlarged(lr))


def test_another_network_is_refused() -> None:
    with pytest.raises(ValueError, match="flow trains the model velocity and no other"):
        Flow().modules(nn.Conv2d(1, 1, 1), 1, 2)
