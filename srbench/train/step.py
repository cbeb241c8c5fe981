"""One training step: what the loop calls, and all it knows of losses and optimizers."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from srbench.images.tiles import Batch
from srbench.predict import as_prediction, compose, plane_of
from srbench.spec import RunSpec
from srbench.train.losses import BoundLoss
from srbench.train.sampling import seed_of
from srbench.train.state import TrainingState
from srbench.train.world import ALONE, World
from srbench.types import Plane

if TYPE_CHECKING:
    from srbench.types import Prediction


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

    def __call__(self, batch: Batch, step: int, rate_factor: float) -> dict[str, Tensor]:
        """Train one step on `batch`; returns the loss of each network (and of the RGB picture, `rgb`).

        With several processes that is its mean over all of them.

        Args:
            batch: LR and HR patches: this process's share of the step's.
            step: counts from 0; noise inside networks and losses is a function of it.
            rate_factor: what the schedule makes of the learning rate at this step.
        """
        logs: dict[str, Tensor] = {}
        for group, planes in self._state.groups.items():
            loss = self._losses(batch, step, planes, logs)
            self._update(group, loss, rate_factor)
        self._world.average(self._state.running())
        if self._spec.ema is not None:
            # The first averages are short, so that random weights are forgotten at once.
            short = (1 + step) / (10 + step) if self._spec.origin is None else 1.0
            self._state.average(min(self._spec.ema, short))
        losses = {name: value.detach() for name, value in logs.items()}
        self._world.average(list(losses.values()))
        return losses

    def _losses(self, batch: Batch, step: int, planes: tuple[Plane, ...], logs: dict[str, Tensor]) -> Tensor:
        predictions: dict[Plane, Prediction] = {}
        total = torch.zeros((), device=self._device)
        for plane in planes:
            lr = plane_of(batch.lr, plane).contiguous(memory_format=torch.channels_last)
            predictions[plane] = self._forward(lr, step, plane)
            hr = {scale: plane_of(pixels, plane) for scale, pixels in batch.hr.items()}
            plane_losses = [one for one in self._state.losses[plane] if one.component.domain == "plane"]
            if plane_losses:
                logs[plane] = self._sum(plane_losses, predictions[plane], hr, lr, step)
                total = total + logs[plane]
        rgb_losses = [loss for loss in self._state.losses.get("rgb", []) if loss.component.domain == "rgb"]
        if rgb_losses:
            sr = compose(self._spec.network_channels, predictions, batch.lr)
            joint = self._sum(rgb_losses, sr, batch.hr, batch.lr, step)
            logs["rgb"] = logs["rgb"] + joint if "rgb" in logs else joint
            total = total + joint
        return total

    def _forward(self, lr: Tensor, step: int, plane: Plane) -> "Prediction":
        torch.manual_seed(seed_of("step", self._spec.seed, step, plane, *self._noise))
        with torch.autocast(self._device.type, dtype=self._autocast, enabled=self._autocast is not None):
            output = self._state.networks[plane](lr)
        prediction = as_prediction(output, self._spec.scale)
        return {scale: sr.float() for scale, sr in prediction.items()}

    def _sum(
        self, losses: list[BoundLoss], sr: "Prediction", hr: Mapping[int, Tensor], lr: Tensor, step: int
    ) -> Tensor:
        return torch.stack([loss(sr, hr, lr, self._spec.scale, step) for loss in losses]).sum()

    def _update(self, group: str, loss: Tensor, rate_factor: float) -> None:
        scaler = self._state.scalers.get(group)
        torch.autograd.backward(loss if scaler is None else scaler.scale(loss))
        owners = self._state.owners(group)
        trained = [parameter for owner in owners for parameter in self._state.parameters(owner)]
        # Before they are clipped, and looked through for what fp16 cannot hold: all processes do the same.
        self._world.average([one.grad for one in trained if one.grad is not None])
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
