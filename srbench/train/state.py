"""Everything of a run that training changes, and how it goes into a checkpoint and comes out again."""

import copy
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from srbench.errors import CheckpointError, UsageError
from srbench.plan import Start
from srbench.predict import Networks
from srbench.registry import registry
from srbench.spec import LossSpec, RunSpec
from srbench.train.losses import BoundLoss, bind_losses, learned
from srbench.train.optimizers import OPTIMIZERS
from srbench.train.sampling import seed_of
from srbench.train.trainer import Trained, Trainer, trainer_of
from srbench.types import Plane, networks_of


def build_networks(spec: RunSpec, device: torch.device) -> dict[Plane, nn.Module]:
    """The untrained networks of a run, channels_last on the device, each initialised from (seed, plane).

    So the `r` network of an `r,g,b` run begins as that of an `r` run with the same seed.
    """
    model = registry().find("model", spec.model.name)
    trainer = trainer_of(spec)
    seed = None if spec.seed is None else spec.seeds.init
    networks: dict[Plane, nn.Module] = {}
    for plane in networks_of(spec.network_channels):
        planes = 3 if plane == "rgb" else 1
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_of("init", seed, plane))
            network = model.make(planes=planes, scale=spec.scale, **spec.model.params)
            if trainer is not None:
                network = _trained(trainer, network, planes, spec.scale)
        networks[plane] = network.to(device, memory_format=torch.channels_last)
    return networks


def _trained(trainer: Trainer, network: nn.Module, planes: int, scale: int) -> Trained:
    try:
        return Trained(trainer, trainer.modules(network, planes, scale), scale)
    except ValueError as error:
        raise UsageError(f"This model and this trainer do not go together: {error}.") from error


def load_weights(networks: Networks, tensors: Mapping[str, Tensor]) -> None:
    """Copy `plane.parameter` → tensor into the networks, each into its own memory format.

    Raises:
        CheckpointError: names or shapes do not fit.
    """
    for plane, network in networks.items():
        mine = {
            name.removeprefix(f"{plane}."): tensor
            for name, tensor in tensors.items()
            if name.startswith(f"{plane}.")
        }
        try:
            network.load_state_dict(mine)
        except RuntimeError as error:
            raise CheckpointError(
                f"The stored weights do not fit the network of plane {plane}: {first_reasons(error)}. The "
                "model's plugin has changed since; install the version that run.json names."
            ) from error


def first_reasons(error: BaseException | None) -> str:
    """The first lines of torch's list of names and shapes that do not fit."""
    lines = [line.strip().rstrip(". ") for line in str(error).splitlines()[1:]]
    short = "; ".join(line[:160] + ("…" if len(line) > 160 else "") for line in lines[:2])
    return short + (f"; and {len(lines) - 2} more like it" if len(lines) > 2 else "")


def weights(networks: Networks) -> dict[str, Tensor]:
    """Parameters and buffers of all networks by `plane.name`."""
    return {
        f"{plane}.{name}": tensor
        for plane, network in networks.items()
        for name, tensor in network.state_dict().items()
    }


_GONE = "?"
"""In place of a number: a term that is not there."""


class TrainingState:
    """Networks, their moving average, losses, optimizers and scalers of one run.

    Args:
        spec: what to train.
        device: where.
        fp16: whether gradients are scaled, which fp16 needs.
    """

    def __init__(self, spec: RunSpec, device: torch.device, *, fp16: bool = False) -> None:
        assert spec.optimizer is not None
        self.networks: dict[Plane, nn.Module] = build_networks(spec, device)
        self.losses: dict[Plane, list[BoundLoss]] = bind_losses(
            spec.losses, tuple(self.networks), spec.seeds.init, device
        )
        self.ema: dict[Plane, nn.Module] | None = None
        if spec.ema is not None:
            self.ema = {
                plane: copy.deepcopy(one).requires_grad_(False) for plane, one in self.networks.items()
            }
        self._parameters: dict[str, dict[str, nn.Parameter]] = {
            owner: dict(self._named(owner)) for owner in dict.fromkeys([*self.networks, *self.losses])
        }
        for loss in (loss for bound in self.losses.values() for loss in bound):
            self._parameters[critic_of(loss)] = {f"loss.{name}": one for name, one in loss.critic.items()}
        build = functools.partial(
            OPTIMIZERS[spec.optimizer.name], learning_rate=spec.learning_rate, **spec.optimizer.params
        )
        self._terms = spec.losses
        self.optimizers: dict[str, Optimizer] = {}
        for plane, network in self.networks.items():
            if isinstance(network, Trained):
                self._add_optimizers(plane, network, build)
        for owner, named in self._parameters.items():
            if named and owner not in self.optimizers:
                self.optimizers[owner] = build(named.values())
        self.critics = [
            one for owner in self.optimizers if owner.startswith("critic.") for one in self.parameters(owner)
        ]
        self.groups = self._backward_groups()
        self.scalers = {group: torch.amp.GradScaler(device.type) for group in self.groups if fp16}

    def _add_optimizers(self, plane: Plane, network: Trained, build: Callable[..., Optimizer]) -> None:
        """Those that a trainer makes, `plane.name`, in place of one for the network."""
        del self._parameters[plane]
        names = {parameter: f"{plane}.{name}" for name, parameter in network.named_parameters()}
        for name, optimizer in network.trainer.optimizers(network.parts, build).items():
            trained = [parameter for group in optimizer.param_groups for parameter in group["params"]]
            self._parameters[f"{plane}.{name}"] = {names[parameter]: parameter for parameter in trained}
            self.optimizers[f"{plane}.{name}"] = optimizer

    def _named(self, owner: Plane) -> Iterator[tuple[str, nn.Parameter]]:
        if owner in self.networks:
            for name, parameter in self.networks[owner].named_parameters():
                if parameter.requires_grad:
                    yield f"{owner}.{name}", parameter
        for loss in self.losses.get(owner, []):
            for name, parameter in loss.trainable.items():
                yield f"loss.{name}", parameter

    def _backward_groups(self) -> dict[str, tuple[Plane, ...]]:
        """Networks that share a backward pass: each its own, unless a loss looks at the RGB picture."""
        joint = any(loss.component.domain == "rgb" for losses in self.losses.values() for loss in losses)
        return {"all": tuple(self.networks)} if joint else {plane: (plane,) for plane in self.networks}

    def owners(self, group: str) -> list[str]:
        """The optimizers that step after the backward pass of a group."""
        planes = set(self.losses) if group == "all" else set()
        return [owner for owner in self.optimizers if owner in {*self.groups[group], *planes}]

    def parameters(self, owner: str) -> list[nn.Parameter]:
        """What the optimizer `owner` trains."""
        return list(self._parameters[owner].values())

    @property
    def scored(self) -> dict[Plane, nn.Module]:
        """What is validated and scored: the moving average where it is on."""
        return self.ema if self.ema is not None else self.networks

    @torch.no_grad()
    def average(self, decay: float) -> None:
        """Move the average towards the weights: average · decay + weights · (1 − decay); buffers follow."""
        if self.ema is None:
            return
        for plane, network in self.networks.items():
            average = self.ema[plane]
            torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 1 - decay)
            for mine, current in zip(average.buffers(), network.buffers(), strict=True):
                mine.copy_(current)

    def running(self) -> list[Tensor]:
        """Buffers that a batch may move, such as the statistics of batch norm: those in float32."""
        modules = [
            *self.networks.values(),
            *(one.module for bound in self.losses.values() for one in bound if one.module),
        ]
        return [buffer for module in modules for buffer in module.buffers() if buffer.dtype == torch.float32]

    def is_finite(self) -> bool:
        """Whether every weight is a number."""
        return all(
            bool(torch.isfinite(parameter).all())
            for network in self.networks.values()
            for parameter in network.parameters()
        )

    def tensors(self) -> dict[str, Tensor]:
        """What training goes on from: raw weights, loss parameters and buffers, optimizer moments."""
        tensors = {f"raw.{name}": tensor for name, tensor in weights(self.networks).items()}
        for name, tensor in learned(self.losses):
            tensors[name] = tensor
        for owner, optimizer in self.optimizers.items():
            for name, parameter in self._parameters[owner].items():
                for key, value in optimizer.state.get(parameter, {}).items():
                    if isinstance(value, Tensor):
                        tensors[f"optimizer.{owner}/{name}/{key}"] = value
        return tensors

    def scalars(self) -> dict[str, Any]:
        """What is not a tensor: the scalers of fp16."""
        return {"scalers": {group: scaler.state_dict() for group, scaler in self.scalers.items()}}

    @torch.no_grad()
    def load(
        self, model: Mapping[str, Tensor], state: Mapping[str, Tensor], scalars: Mapping[str, Any]
    ) -> None:
        """Go back to a checkpoint, bit for bit.

        Raises:
            CheckpointError: it does not fit this run's networks, losses or optimizer.
        """
        load_weights(self.networks, _below("raw.", state))
        if self.ema is not None:
            load_weights(self.ema, model)
        try:
            for name, mine in learned(self.losses):
                mine.copy_(state[name])
        except (KeyError, RuntimeError) as error:
            raise CheckpointError(f"The stored state of a loss does not fit: {error}.") from error
        self._load_optimizers(state)
        for group, scaler in self.scalers.items():
            scaler.load_state_dict(scalars["scalers"][group])

    @torch.no_grad()
    def begin_from(self, start: Start) -> None:
        """Begin from weights alone, or from what another run went on from.

        A term of the loss takes over what the parent's of that name and those parameters had learnt, wherever
        it stands in the sum; a new one begins anew.

        Raises:
            CheckpointError: the weights do not fit this run's networks.
        """
        load_weights(self.networks, start.model if start.state is None else _below("raw.", start.state))
        if self.ema is not None:
            load_weights(self.ema, start.model)
        if start.state is None:
            return
        state = _renumbered(start.state, _same_terms(start.losses, self._terms))
        for name, mine in learned(self.losses):
            if name in state:
                mine.copy_(state[name])
        if start.origin.optimizer == "keep":
            self._load_optimizers(state)
            for group, scaler in self.scalers.items():
                if group in start.scalars["scalers"]:
                    scaler.load_state_dict(start.scalars["scalers"][group])

    def _load_optimizers(self, state: Mapping[str, Tensor]) -> None:
        stored: dict[str, dict[str, dict[str, Tensor]]] = {}
        for name, tensor in state.items():
            if name.startswith("optimizer."):
                owner, rest = name.removeprefix("optimizer.").split("/", 1)
                trained, key = rest.rsplit("/", 1)
                stored.setdefault(owner, {}).setdefault(trained, {})[key] = tensor
        for owner, optimizer in self.optimizers.items():
            for name, parameter in self._parameters[owner].items():
                for key, tensor in stored.get(owner, {}).get(name, {}).items():
                    optimizer.state[parameter][key] = _like(parameter, tensor)


def critic_of(loss: BoundLoss) -> str:
    """What the optimizer of a loss's critic is called."""
    return f"critic.{loss.key}"


def _same_terms(theirs: Sequence[LossSpec], mine: Sequence[LossSpec]) -> dict[int, int]:
    """Number of a parent's term → that of the same one here: same name, same parameters, any weight."""
    numbers: dict[int, int] = {}
    for number, term in enumerate(mine):
        for before, other in enumerate(theirs):
            if before not in numbers and (other.name, other.params) == (term.name, term.params):
                numbers[before] = number
                break
    return numbers


def _renumbered(state: Mapping[str, Tensor], numbers: Mapping[int, int]) -> dict[str, Tensor]:
    """A parent's state with the terms of its loss numbered as here, without those that are not here."""
    found = {}
    for name, tensor in state.items():
        head, slash, rest = name.partition("/")
        new = _renumber("optimizer.critic.", _renumber("loss.", head, numbers), numbers)
        if slash:
            new += slash + _renumber("loss.", rest, numbers)
        if _GONE not in new:
            found[new] = tensor
    return found


def _renumber(prefix: str, text: str, numbers: Mapping[int, int]) -> str:
    if not text.startswith(prefix):
        return text
    number, _, rest = text.removeprefix(prefix).partition(".")
    return f"{prefix}{numbers.get(int(number), _GONE)}.{rest}"


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): one for name, one in tensors.items() if name.startswith(prefix)}


def _like(parameter: nn.Parameter, tensor: Tensor) -> Tensor:
    """A moment in its parameter's memory format; a step counter as it is.

    Fused Adam walks parameter and moments by their storage: a moment left in the file's own format is added
    to the wrong weights, silently (7e-3 apart after 5 steps).
    """
    if tensor.shape == parameter.shape:
        return torch.empty_like(parameter).copy_(tensor)
    return tensor.to(parameter.device, copy=True)  # optimizers count in place, and two forks share a parent
