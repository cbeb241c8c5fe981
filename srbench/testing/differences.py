"""Whether a gradient is that of a value: against differences along random directions, in float64."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from srbench.errors import MetricUnavailable
from srbench.testing.asked import said
from srbench.testing.conformance import Fault, NotDemanded

_STEPS = (1e-7, 1e-9)
"""The first is hardly rounded; the second crosses hardly a kink, of which a wide network has many."""
_DIRECTIONS = 3
"""One may cross a kink all the same; what is wrong is wrong in every one, by every step."""
_WRONG = 1e-4
"""Error along a direction, in units of the gradient's length; a single wrong pixel of 7000 makes 1e-2."""


def check_gradient(value: Callable[[Tensor], Tensor], at: Tensor) -> None:
    """Hold the gradient of a function at a place to differences of its values.

    Args:
        value: gives a scalar; the same one each time for the same tensor.
        at: float64.

    Raises:
        Fault: they differ.
        NotDemanded: the function does not compute in float64, or holds a part of itself constant on purpose.
    """
    place = at.clone().requires_grad_()
    watch = _Watch()
    try:
        with watch:
            there = value(place)
        (gradient,) = torch.autograd.grad(there, place)
    except MetricUnavailable as reason:
        raise NotDemanded(str(reason)) from reason
    except Exception as error:
        raise NotDemanded(f"It does not take float64 ({said(error)}).") from error
    if watch.narrowed or there.dtype != torch.float64:
        raise NotDemanded("It computes in float32 whatever it is given.")
    if watch.cut:
        raise NotDemanded(
            "It holds a part of what it computes constant on purpose, by detach() or torch.no_grad(), so "
            "that its gradient is not that of its value."
        )
    for seed in range(_DIRECTIONS):
        generator = torch.Generator().manual_seed(seed)
        along = torch.randn(at.shape, generator=generator, dtype=at.dtype)
        claimed = float((gradient * along).sum())
        for step in _STEPS:
            with torch.no_grad():
                numeric = float(value(at + step * along) - value(at - step * along)) / (2 * step)
            if abs(numeric - claimed) <= _WRONG * float(gradient.norm()):
                return
    raise Fault(
        f"Along a random direction its gradient says {claimed:.6g}, and differences of its value say "
        f"{numeric:.6g}. Correct the backward pass of its own function, or do without .item() and float(). A "
        "part that is meant to be constant is cut off by .detach() or torch.no_grad(), and this check then "
        "lets it be."
    )


class _Watch(TorchFunctionMode):
    """Notes where what depends on the place is cut off from the gradient, or narrowed to float32.

    Whoever cuts says so: that torch runs the forward pass of an `autograd.Function` without gradients does
    not count, since its backward pass is what is looked at.
    """

    cut = narrowed = False
    _says_so = False

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if func is torch._C._set_grad_enabled:
            self._says_so = not args[0]
        if any(isinstance(one, Tensor) and one.requires_grad for one in tree_leaves((args, kwargs))):
            for one in tree_leaves(result):
                if isinstance(one, Tensor) and one.is_floating_point():
                    self.narrowed |= one.requires_grad and one.dtype != torch.float64
                    self.cut |= func is Tensor.detach or self._says_so
        return result
