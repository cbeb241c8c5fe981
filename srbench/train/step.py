"""One training step: what the loop calls, and all it knows of losses and optimizers."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from srbench.errors import SrbenchError
from srbench.images.tiles import Batch
from srbench.predict import as_prediction, compose, plane_of
from srbench.spec import RunSpec
from srbench.train.losses import BoundLoss
from srbench.train.sampling import seed_of
from srbench.train.state import TrainingState, critic_of
from srbench.train.trainer import Trained
from srbench.train.world import ALONE, World
from srbench.types import Plane

if TYPE_CHECKING:
    from srbench.types import Prediction


@dataclass(frozen=True)
class Losses:
    """The losses of one step, scalars.

    Args:
        totals: network → the weighted sum it was trained by; `rgb` where it was the RGB picture's.
        terms: `r/charbonnier` → its part of that sum, and `rgb/gan critic` → what a critic was trained by;
            empty where each sum has one term and no critic.
    """

    totals: dict[str, Tensor] = field(default_factory=dict)
    terms: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class _View:
    """What some losses look at: the pictures of one network, or the RGB picture (`rgb`)."""

    owner: Plane
    losses: Sequence[BoundLoss]
    sr: "Prediction"
    hr: Mapping[int, Tensor]
    lr: Tensor


class TrainStep:
    """Forward, losses, backward, clip, optimizer and average, for every network of a run.

    Networks that share no loss take their steps in turn, so that each ends with the weights it would have
    as a run of its own; a loss on the RGB picture joins them in one backward pass.

    Args:
        spec: the run.
        state: what is trained.
        device: where.
        autocast: dtype to compute the networks in; None for fp32.
        world: the processes that share the batch.
    """

    def __init__(
        self,
        spec: RunSpec,
        state: TrainingState,
        device: torch.device,
        autocast: torch.dtype | None,
        world: World = ALONE,
    ) -> None:
        self._spec, self._state, self._device, self._autocast = spec, state, device, autocast
        self._world = world
        self._noise = () if world.leads else (world.rank,)
        self._logged: dict[Plane, set[str]] = {}
        self._shows_terms = len(spec.losses) > 1 or bool(state.critics)

    def __call__(self, batch: Batch, step: int, rate_factor: float) -> Losses:
        """Train one step on `batch`; the losses returned are means over all processes.

        Args:
            batch: LR and HR patches: this process's share of the step's.
            step: counts from 0; noise inside networks and losses is a function of it.
            rate_factor: what the schedule makes of the learning rate at this step.
        """
        losses = Losses()
        for group, planes in self._state.groups.items():
            network = self._state.networks.get(planes[0])
            if isinstance(network, Trained):
                self._let_train(planes[0], network, batch, step, losses, rate_factor)
                continue
            with _frozen(self._state.critics):
                views = self._views(batch, step, planes)
                loss = self._sum(views, step, losses)
                self._backward(self._state.owners(group), loss, rate_factor, self._state.scalers.get(group))
            self._train_critics(views, step, losses, rate_factor)
        self._world.average(self._state.running())
        if self._spec.ema is not None:
            # The first averages are short, so that random weights are forgotten at once.
            short = (1 + step) / (10 + step) if self._spec.origin is None else 1.0
            self._state.average(min(self._spec.ema, short))
        totals = {name: value.detach() for name, value in losses.totals.items()}
        terms = {name: value.detach() for name, value in losses.terms.items()}
        self._world.average([*totals.values(), *terms.values()])
        return Losses(totals, terms)

    def _views(self, batch: Batch, step: int, planes: tuple[Plane, ...]) -> list[_View]:
        """Predict with networks that share a backward pass, and say which losses look at what."""
        predictions: dict[Plane, Prediction] = {}
        views = []
        for plane in planes:
            lr = plane_of(batch.lr, plane).contiguous(memory_format=torch.channels_last)
            predictions[plane] = self._forward(lr, step, plane)
            hr = {scale: plane_of(pixels, plane) for scale, pixels in batch.hr.items()}
            own = [one for one in self._state.losses[plane] if one.component.domain == "plane"]
            views.append(_View(plane, own, predictions[plane], hr, lr))
        joint = [one for one in self._state.losses.get("rgb", []) if one.component.domain == "rgb"]
        if joint:
            sr = compose(self._spec.network_channels, predictions, batch.lr)
            views.append(_View("rgb", joint, sr, batch.hr, batch.lr))
        return [view for view in views if view.losses]

    def _forward(self, lr: Tensor, step: int, plane: Plane) -> "Prediction":
        with self._seeded(plane, step):
            output = self._state.networks[plane](lr)
        prediction = as_prediction(output, self._spec.scale)
        return {scale: sr.float() for scale, sr in prediction.items()}

    def _seeded(self, plane: Plane, step: int) -> torch.autocast:
        """Seed torch's generator, and compute as the engine says."""
        torch.manual_seed(seed_of("step", self._spec.seeds.crops, step, plane, *self._noise))
        return torch.autocast(self._device.type, dtype=self._autocast, enabled=self._autocast is not None)

    def _sum(self, views: Sequence[_View], step: int, losses: Losses) -> Tensor:
        """The sum of all losses, each noted in `losses` too."""
        total = torch.zeros((), device=self._device)
        for view in views:
            terms = {
                loss.title: loss(view.sr, view.hr, view.lr, self._spec.scale, step) for loss in view.losses
            }
            own = torch.stack(list(terms.values())).sum()
            losses.totals[view.owner] = (
                losses.totals[view.owner] + own if view.owner in losses.totals else own
            )
            total = total + own
            if self._shows_terms:
                losses.terms.update(terms)
        return total

    def _train_critics(self, views: Sequence[_View], step: int, losses: Losses, rate_factor: float) -> None:
        """Train critics on the pictures that they have just judged: in float32, which needs no scaler."""
        for view in views:
            for loss in view.losses:
                if critic_of(loss) not in self._state.optimizers:
                    continue
                value = loss.critic_loss(view.sr, view.hr, view.lr, self._spec.scale, step)
                if value is not None:
                    self._backward([critic_of(loss)], value, rate_factor, None)
                resting = torch.zeros((), device=self._device)
                losses.terms[f"{loss.title} critic"] = resting if value is None else value

    def _let_train(
        self, plane: Plane, network: Trained, batch: Batch, step: int, losses: Losses, rate_factor: float
    ) -> None:
        """A step of a trainer's own making."""

        def update(loss: Tensor, *names: str) -> None:
            owners = [f"{plane}.{name}" for name in names] or [
                owner for owner in self._state.optimizers if owner.startswith(f"{plane}.")
            ]
            with torch.autocast(self._device.type, enabled=False):
                self._backward(owners, loss, rate_factor, self._state.scalers.get(plane))

        lr = plane_of(batch.lr, plane).contiguous(memory_format=torch.channels_last)
        hr = {scale: plane_of(pixels, plane) for scale, pixels in batch.hr.items()}
        with self._seeded(plane, step):
            logs = network.trainer.step(network.parts, lr, hr, step, update)
        before = self._logged.setdefault(plane, set(logs))
        if set(logs) != before or "loss" not in logs:
            name = type(network.trainer).__name__
            raise SrbenchError(
                f"{name} reported {sorted(logs)} at step {step:,}, and {sorted(before)} in the first. A "
                "trainer reports 'loss', and the same names at every step: mend its plugin."
            )
        losses.totals[plane] = logs["loss"]
        losses.terms.update({f"{plane}/{name}": one for name, one in logs.items() if name != "loss"})

    def _backward(
        self, owners: Sequence[str], loss: Tensor, rate_factor: float, scaler: torch.amp.GradScaler | None
    ) -> None:
        """Gradients of `loss`, and a step of the optimizers `owners`."""
        trained = [parameter for owner in owners for parameter in self._state.parameters(owner)]
        # For these alone: what other modules of the graph were given would stay there until their own step.
        torch.autograd.backward(loss if scaler is None else scaler.scale(loss), inputs=trained)
        # Before they are clipped, and looked through for what fp16 cannot hold: all processes do the same.
        self._world.average_gradients(trained)
        for owner in owners:
            optimizer = self._state.optimizers[owner]
            for parameters in optimizer.param_groups:
                parameters["lr"] = (self._spec.learning_rate or 0.0) * rate_factor
            if scaler is not None:
                scaler.unscale_(optimizer)
            if self._spec.clip is not None:
                torch.nn.utils.clip_grad_norm_(self._state.parameters(owner), self._spec.clip)
            if scaler is None:
                optimizer.step()
            else:
                scaler.step(optimizer)
            optimizer.zero_grad(set_to_none=True)
        if scaler is not None:
            scaler.update()


@contextmanager
def _frozen(parameters: Sequence[nn.Parameter]) -> Iterator[None]:
    """Networks are judged by critics, and do not train them."""
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)
