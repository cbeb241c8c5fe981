"""What pytest has where srbench is installed: fixtures for authors of plugins, and conformance as tests.

pytest loads this module in every session, so it loads no torch.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from srbench.components import Kind
from srbench.testing.conformance import Fault, NotDemanded, checks_of, examine, promises_of, subject_of
from srbench.testing.pictures import TinyDataset, write_pictures
from srbench.testing.registration import Registration

if TYPE_CHECKING:
    from srbench.testing.runs import Combination

_ANYTHING = "anything demanded"


def conformance_tests(kind: Kind, *typed: str) -> Callable[..., None]:
    """The suite of a kind as one parametrised test function, a test a component and check.

        test_conformance = conformance_tests("model", "mynet", "mynet:features=8")

    A promise that a component never gave is a skipped test. One more test fails where all of them are.

    Args:
        kind: model, loss, trainer, dataset, metric or degradation.
        typed: components as typed on the command line, settings included.
    """
    if not typed:
        raise ValueError(
            f"conformance_tests({kind!r}) needs the name of a component: nothing would be tested"
        )

    @pytest.mark.parametrize("check", [*promises_of(kind), _ANYTHING])
    @pytest.mark.parametrize("component", typed)
    def test_conformance(component: str, check: str) -> None:
        subject = subject_of(kind, component)
        if check == _ANYTHING:
            if all(finding.state == "skipped" for finding in examine(subject)):
                pytest.fail(
                    f"Nothing was demanded of the {kind} {component}, so nothing is known.", pytrace=False
                )
            return
        (look,) = [one.look for one in checks_of(kind) if one.name == check]
        try:
            look(subject)
        except NotDemanded as reason:
            pytest.skip(str(reason))
        except Fault as fault:
            pytest.fail(str(fault), pytrace=False)

    return test_conformance


@pytest.fixture
def srbench_register() -> Iterator[Registration]:
    """Names a component for one test: `srbench_register("loss", "mine", build, domain="rgb")`."""
    with Registration() as register:
        yield register


@pytest.fixture(scope="session")
def tiny_dataset(tmp_path_factory: pytest.TempPathFactory) -> TinyDataset:
    """Crops of photographs, as files (`.text` is how they are typed) and as tensors (`.hr`, `.lr(4)`)."""
    return write_pictures(tmp_path_factory.mktemp("tiny_dataset"))


@pytest.fixture
def run_combination(tmp_path: Path, tiny_dataset: TinyDataset) -> "Callable[..., Combination]":
    """Trains and scores on the CPU in seconds: `run_combination(model="mynet", loss="l1").score("psnr")`.

    It takes what `srbench.testing.runs.run_combination` takes; `dataset` is the tiny one unless it is given.
    """
    from srbench.testing.runs import run_combination as run

    def run_here(**arguments: Any) -> "Combination":
        return partial(run, tmp_path / "results", dataset=tiny_dataset.text)(**arguments)

    return run_here
