"""Whether a network is all on one device: seen by a forward pass on torch's `meta` device, or on a GPU."""

import copy
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from srbench.predict import as_prediction
from srbench.testing.conformance import Fault, NotDemanded

_MOVES = ("_to_copy", "copy_", "lift_fresh", "_local_scalar_dense")
_BY_INDEX = ("index", "index_put", "index_put_", "_index_put_impl_")
"""Operations that take tensors of two devices."""


class _Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes operations on tensors of two devices, which a GPU would refuse and `meta` often lets pass."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.mixed: list[tuple[str, Tensor]] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = func._schema.name.removeprefix("aten::")
        if name not in (*_MOVES, *_BY_INDEX):
            # One without dimensions may stay on the CPU: it counts as a number.
            found = [one for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor) and one.ndim]
            if len({one.device.type for one in found}) > 1:
                self.mixed += [(name, one) for one in found if one.device.type == "cpu"]
        return func(*args, **(kwargs or {}))


def mixed_devices(network: nn.Module, lr: Tensor, scale: int) -> None:
    """Move a copy of the network, and let it see LR there.

    Raises:
        Fault: a tensor stayed behind, or is made elsewhere.
        NotDemanded: its forward looks at values, which only a GPU can tell of, and there is none.
    """
    device = "cuda" if torch.cuda.is_available() else "meta"
    moved = copy.deepcopy(network).to(device)
    watch, failed = _Watch(), None
    with torch.no_grad(), _autocast_knows_meta(), watch:
        try:
            sr = as_prediction(moved.eval()(lr.to(device)), scale)[scale]
            if sr.device.type != device:
                watch.mixed.append(("its result", sr))
        except Exception as error:
            failed = error
    if watch.mixed:
        operation, tensor = watch.mixed[0]
        name = next((name for name, one in plain_tensors(moved) if one is tensor), None)
        what = f"{name}, a plain attribute" if name else f"a tensor of shape {tuple(tensor.shape)}"
        raise Fault(
            f"On another device than the CPU, {operation} meets {what}, which is still on the CPU. Keep "
            "constants with register_buffer(…, persistent=False), and make tensors in forward where their "
            "input is: torch.zeros(…, device=x.device)."
        )
    if failed is not None and device == "cuda":
        raise Fault(f"On a GPU it ends in {type(failed).__name__}: {failed}.") from failed
    if failed is not None:
        first = (str(failed).splitlines() or ["no message"])[0]
        raise NotDemanded(
            f"Its forward needs the values of tensors ({first.rstrip('.')}), and there is no GPU to try it "
            "on."
        )


@contextmanager
def _autocast_knows_meta() -> Iterator[None]:
    """Let networks that compute a part in float32 (`torch.autocast(x.device.type, …)`) do so on `meta`."""
    original = torch.autocast.__init__

    def init(self: torch.autocast, device_type: str, *more: Any, **options: Any) -> None:
        original(self, "cpu" if device_type == "meta" else device_type, *more, **options)

    torch.autocast.__init__ = init  # type: ignore[method-assign]
    try:
        yield
    finally:
        torch.autocast.__init__ = original  # type: ignore[method-assign]


def plain_tensors(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Tensors that are neither parameter nor buffer, in attributes of its modules or in what they hold."""
    for path, module in network.named_modules():
        for name, value in vars(module).items():
            if name not in ("_parameters", "_buffers", "_modules"):
                yield from ((f"{path}.{name}".lstrip("."), one) for one in _tensors_in(value))


def _tensors_in(value: Any) -> Iterable[Tensor]:
    return [one for one in tree_leaves(value) if isinstance(one, Tensor)]
