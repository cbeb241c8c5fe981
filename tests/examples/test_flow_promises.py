"""The trainer of examples/ and the model that it trains keep their promises."""

import importlib
import sys
from pathlib import Path

import pytest

from srbench.plugins import Plugin, host
from srbench.registry import registry
from srbench.testing import conformance_tests

FLOW = Path(__file__).parents[2] / "examples" / "srbench-example-flow"


@pytest.fixture(scope="module", autouse=True)
def _example():
    sys.path.insert(0, str(FLOW))
    plugin = importlib.import_module("srbench_example_flow.plugin")
    host().add(plugin, Plugin("example_flow", "srbench-example-flow", "0.1.0"))
    registry.cache_clear()
    yield
    host().remove(plugin)
    registry.cache_clear()
    sys.path.remove(str(FLOW))


test_the_flow = conformance_tests("trainer", "flow:walk=2")
test_its_network = conformance_tests("model", "velocity:features=8,depth=2")
