"""Types that more than one layer uses. Importing this module loads neither torch nor numpy."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from srbench.facts import DatasetFacts

    Prediction: TypeAlias = dict[int, Tensor]
    """Scale → SR `(N, C, H, W)` in [0, 1]. LapSRN ×4 predicts {2, 4}; a single-scale model {s}."""

Plane: TypeAlias = Literal["r", "g", "b", "y", "rgb"]
"""What a score is about: one plane, luma, or the three jointly."""

Channels: TypeAlias = Literal["rgb", "y", "r", "g", "b", "r,g,b"]
"""What networks are trained on; `r,g,b` is three separate networks in one run."""

CHANNELS: tuple[Channels, ...] = ("rgb", "y", "r", "g", "b", "r,g,b")

BASELINE = "bicubic"
"""The model every other one is compared with; it is scored wherever a run is."""

Target: TypeAlias = Callable[..., Any] | str
"""A callable, or the import string `"package.module:attribute"` of one, resolved on first use."""


Better: TypeAlias = Literal["higher", "lower", "neither"]
"""Which values of a metric are the better ones; `neither`: it ranks nothing."""

Law: TypeAlias = Literal["zero at equality", "mean over the batch"]
"""What a loss says of its values; conformance holds it to that."""

LAWS: tuple[Law, ...] = ("zero at equality", "mean over the batch")


def networks_of(channels: Channels) -> tuple[Plane, ...]:
    """The networks a run trains, named by what each sees: `r,g,b` → (r, g, b), `y` → (y,)."""
    return ("r", "g", "b") if channels == "r,g,b" else (channels,)


def scored_planes(channels: Channels) -> tuple[Plane, ...]:
    """The planes a run's pictures have: a single-plane run has that plane alone."""
    return (channels,) if channels in ("r", "g", "b") else ("r", "g", "b", "y", "rgb")


@dataclass(frozen=True)
class Picture:
    """One HR picture of a dataset.

    Args:
        name: unique within its half, stable between machines (a relative path without its suffix).
        hr: a file, or 8-bit pixels `(H, W, 3)` RGB or `(H, W)` grey.
        box: the tile of the file that is meant, (top, left, height, width) in pixels; None: all of it.
        lr: its LR picture at the scale the dataset is built for, all of it, as `hr` is given; None: LR is HR
            degraded.
        same_size: `lr` has the size of HR, and the run's degradation reduces it.
    """

    name: str
    hr: "Path | NDArray[np.uint8]"
    box: tuple[int, int, int, int] | None = None
    lr: "Path | NDArray[np.uint8] | None" = None
    same_size: bool = False


@dataclass(frozen=True)
class Dataset:
    """What a dataset plugin builds: pictures to train on, to validate on and to score on.

    Args:
        train: pictures for training; empty for a set that is only scored on.
        val: held-out pictures for the curves and `best`; may be empty.
        test: pictures for the final scores.
        test_name: what the test half is called in tables; None: the dataset's own name.
        unpaired: LR files that belong to no picture; a warning names them.
    """

    train: Sequence[Picture] = ()
    val: Sequence[Picture] = ()
    test: Sequence[Picture] = ()
    test_name: str | None = None
    unpaired: Sequence[Path] = ()


@dataclass(frozen=True)
class ForeignModel:
    """What a reader makes of a weights file that says itself what its network is.

    Args:
        network: as the builder of a model returns it, weights loaded.
        scale: its factor.
        channels: what it sees: `rgb`, or `y` for one of a single plane.
        size_multiple: LR sides are padded to a multiple of it.
        tileable: whether it may see a picture in tiles.
        terms: what a user is told before it is used, such as the licence of its code; empty: nothing.
    """

    network: "nn.Module"
    scale: int
    channels: Channels = "rgb"
    size_multiple: int = 1
    tileable: bool = True
    terms: str = ""


class RegisterModel(Protocol):
    """How a plugin names a model; see the hook `register_models`."""

    def __call__(
        self,
        name: str,
        build: Target,
        *,
        scales: Sequence[int] | None = None,
        channels: Channels = "rgb",
        trainable: bool = True,
        size_multiple: int | Target = 1,
        tileable: bool | Target = True,
        reader: Target | None = None,
        recipes: Mapping[str, Mapping[str, Any] | Target] | None = None,
        terms: Target | None = None,
    ) -> None:
        """Called once a model; the hook explains each argument."""


class RegisterLoss(Protocol):
    """How a plugin names a loss; see the hook `register_losses`."""

    def __call__(
        self,
        name: str,
        build: Target,
        *,
        domain: Literal["plane", "rgb"] = "plane",
        scales: Literal["all", "last"] = "all",
        facts: Target | None = None,
        laws: Sequence[Law] = (),
    ) -> None:
        """Called once a loss; the hook explains each argument."""


class RegisterTrainer(Protocol):
    """How a plugin names a trainer; see the hook `register_trainers`."""

    def __call__(self, name: str, build: Target) -> None:
        """Called once a trainer; the hook explains each argument."""


class RegisterDataset(Protocol):
    """How a plugin names a dataset; see the hook `register_datasets`."""

    def __call__(self, name: str, build: Target, *, facts: "DatasetFacts | str | None" = None) -> None:
        """Called once a dataset; the hook explains each argument."""


class RegisterMetric(Protocol):
    """How a plugin names a metric; see the hook `register_metrics`."""

    def __call__(
        self,
        name: str,
        metric: Target,
        *,
        better: "Better | Target",
        unit: str = "",
        planes: Sequence[Plane] = ("r", "g", "b", "y"),
        facts: Target | None = None,
        shows: Sequence[str] = (),
        field: str = "",
        bounds: tuple[float, float] = (-inf, inf),
    ) -> None:
        """Called once a metric; the hook explains each argument."""


class RegisterDegradation(Protocol):
    """How a plugin names a degradation; see the hook `register_degradations`."""

    def __call__(
        self, name: str, build: Target, *, stochastic: bool = False, margin: int | Target = 0
    ) -> None:
        """Called once a degradation; the hook explains each argument."""


class RegisterExecutor(Protocol):
    """How a plugin names an executor; see the hook `register_executors`."""

    def __call__(self, name: str, build: Target, *, still_queued: Target | None = None) -> None:
        """Called once an executor; the hook explains each argument."""


class RegisterCommand(Protocol):
    """How a plugin names a command; see the hook `register_commands`."""

    def __call__(self, name: str, command: Target, *, help: str) -> None:
        """Called once a command; the hook explains each argument."""


@dataclass(frozen=True)
class RunInfo:
    """What event hooks are told of a run: its id, its directory and its specification as plain data."""

    id: str
    directory: Path
    spec: Mapping[str, Any]
