"""A model as its checks need it: built, given pictures, trained a few steps, as srbench itself would."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from srbench.components import Model
from srbench.errors import UsageError
from srbench.images.resize import bicubic
from srbench.plan.settings import CORE_SETTINGS, Budget, fields_of
from srbench.predict import as_prediction
from srbench.registry import registry
from srbench.spec import ComponentSpec, LossSpec, RunSpec
from srbench.testing.conformance import Fault, Subject
from srbench.testing.photographs import photograph
from srbench.types import Plane, networks_of

CPU = torch.device("cpu")

ANY_SCALE = (2, 3, 4)
"""Looked at where a model says that it can do any."""

_SIDE = 12
"""Of LR patches, where the size multiple allows it: little to compute, and more than most kernels see."""


def plane_seen(model: Model) -> Plane:
    """What the first network of a run sees unless `--channels` says otherwise."""
    return networks_of(model.channels)[0]


def planes_seen(model: Model) -> int:
    """3 or 1."""
    return 3 if plane_seen(model) == "rgb" else 1


def scales_of(model: Model) -> tuple[int, ...]:
    """The scales to look at: all that it declares."""
    return tuple(sorted(model.scales or ANY_SCALE))


def multiple_of(subject: Subject) -> int:
    """Its size multiple with these settings.

    Raises:
        Fault: there is none, or it is below 1.
    """
    try:
        multiple: int = subject.component.padded_to(subject.settings)
    except UsageError as error:
        raise Fault(f"Its size_multiple does not come to a number: {error}") from error
    if multiple < 1:
        raise Fault(f"Its size_multiple is {multiple}. It must be 1, for any size, or more.")
    return multiple


def build(subject: Subject, scale: int | None = None, seed: int = 0, planes: int | None = None) -> nn.Module:
    """An untrained network, drawn from `seed`; at the smallest scale, for the planes it sees, unless told.

    Raises:
        Fault: it cannot be built, or is no module.
    """
    model: Model = subject.component
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = subject.make(planes=planes or planes_seen(model), scale=scale or scales_of(model)[0])
    if not isinstance(network, nn.Module):
        raise Fault(f"Its builder returns {type(network).__name__}, not a torch.nn.Module.")
    return network.to(memory_format=torch.channels_last)


def lr_side(multiple: int) -> int:
    """Of a square LR patch that the network takes as it is."""
    return -(-_SIDE // multiple) * multiple


def patches(
    plane: Plane, scale: int, side: int, count: int = 2, first: int = 0
) -> tuple[Tensor, dict[int, Tensor]]:
    """A batch of LR patches of `side`, and their references at every scale that a network may predict."""
    hr = torch.cat(
        [photograph(side * scale, side * scale, plane, number=first + one) for one in range(count)]
    )
    degrade = bicubic(round=False)
    inner = [factor for factor in range(2, scale) if scale % factor == 0]
    return degrade(hr, scale).float(), {scale: hr, **{one: degrade(hr, scale // one) for one in inner}}


def l1(network: nn.Module, lr: Tensor, hr: dict[int, Tensor], scale: int) -> Tensor:
    """Mean absolute error of what a network predicts, summed over its scales.

    Raises:
        Fault: it predicts something else.
    """
    prediction = as_prediction(network(lr), scale)
    total = lr.new_zeros(())
    for factor, sr in prediction.items():
        if factor not in hr or sr.shape != hr[factor].shape:
            raise Fault(
                f"In training it predicts {tuple(sr.shape)} at ×{factor} of LR {tuple(lr.shape)}, where "
                f"×{scale} is asked for."
            )
        total = total + (sr.float() - hr[factor]).abs().mean()
    return total


def forward(network: nn.Module, lr: Tensor, scale: int) -> Tensor:
    """SR at the run scale, as scoring computes it.

    Raises:
        Fault: there is none.
    """
    with torch.no_grad():
        prediction = as_prediction(network.eval()(lr), scale)
    if scale not in prediction:
        raise Fault(
            f"At ×{scale} its prediction has the scales {sorted(prediction)}. The run scale must be among "
            "them."
        )
    return prediction[scale]


def wrong_size(network: nn.Module, lr: Tensor, scale: int) -> str | None:
    """What is wrong with the size of what it gives of LR, which it takes as it is; None: nothing."""
    size = f"LR of {lr.shape[-2]}×{lr.shape[-1]} at ×{scale}"
    training = network.training
    try:
        with torch.no_grad():
            prediction = as_prediction(network.eval()(lr), scale)
    except (Exception, SystemExit) as error:
        return f"{size} ends in {type(error).__name__}: {error}"
    finally:
        network.train(training)
    scales = sorted(prediction)
    if scale not in scales or any(scale % one for one in scales):
        return f"{size} gives the scales {scales}, where ×{scale} must be, and beside it only its divisors"
    for factor, sr in prediction.items():
        expected = (*lr.shape[:2], lr.shape[-2] * factor, lr.shape[-1] * factor)
        if tuple(sr.shape) != expected:
            return f"{size} gives SR {tuple(sr.shape)}, and not {expected}"
    return None


def spec_of(
    subject: Subject, seed: int = 0, trainer: LossSpec | None = None, ema: float | None = 0.9
) -> RunSpec:
    """A run of the model on one plane, or RGB, by Adam; without a loss unless it is given a trainer."""
    model: Model = subject.component
    settings = {**CORE_SETTINGS, "lr": 1e-3, "ema": ema or 0, "batch": 2, "patch": 48}
    return RunSpec(
        **fields_of(settings, Budget(steps=1)),
        model=ComponentSpec(name=registry().spelling(model), params=dict(subject.settings)),
        loss=(trainer,) if trainer else (),
        dataset=None,
        channels=plane_seen(model),
        scale=scales_of(model)[0],
        degradation=ComponentSpec(name="bicubic"),
        seed=seed,
        precision="fp32",
    )


@contextmanager
def exactly() -> Iterator[None]:
    """Algorithms that give the same bits each time, as runs use."""
    before = torch.are_deterministic_algorithms_enabled()
    fills = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
        torch.utils.deterministic.fill_uninitialized_memory = fills  # type: ignore[attr-defined]


def count_of(names: list[str]) -> str:
    """`a, b, c and 4 more`."""
    shown = ", ".join(names[:3])
    return shown + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def first_steps(
    network: nn.Module, rate: float, batch: Callable[[int], tuple[Tensor, dict[int, Tensor]]], scale: int
) -> Iterator[float]:
    """The loss of each training step, endlessly; gradients are there when it is given.

    Args:
        network: in training mode afterwards.
        rate: Adam's.
        batch: step → LR and HR.
        scale: the run scale.
    """
    trained = [one for one in network.parameters() if one.requires_grad]
    optimizer = torch.optim.Adam(trained, rate)
    network.train()
    step = 0
    while True:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(step)
            loss = l1(network, *batch(step), scale)
        optimizer.zero_grad()
        if loss.requires_grad:
            torch.autograd.backward(loss, inputs=trained)
        yield float(loss.detach())
        optimizer.step()
        step += 1
