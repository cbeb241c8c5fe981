"""Name → torch optimizer, in its fused form; importing this module loads no torch."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.nn import Parameter
    from torch.optim import Optimizer


def adam(
    params: "Iterable[Parameter]",
    learning_rate: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> "Optimizer":
    """Adam. Source: Kingma and Ba 2015, arXiv:1412.6980."""
    import torch

    return torch.optim.Adam(params, learning_rate, (beta1, beta2), eps, weight_decay, fused=True)


def adamw(
    params: "Iterable[Parameter]",
    learning_rate: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.01,
) -> "Optimizer":
    """Adam with decoupled weight decay. Source: Loshchilov and Hutter 2019, arXiv:1711.05101."""
    import torch

    return torch.optim.AdamW(params, learning_rate, (beta1, beta2), eps, weight_decay, fused=True)


def sgd(
    params: "Iterable[Parameter]", learning_rate: float, momentum: float = 0.0, weight_decay: float = 0.0
) -> "Optimizer":
    """Stochastic gradient descent, with momentum."""
    import torch

    return torch.optim.SGD(params, learning_rate, momentum, weight_decay=weight_decay, fused=True)


OPTIMIZERS: dict[str, "Callable[..., Optimizer]"] = {"adam": adam, "adamw": adamw, "sgd": sgd}
