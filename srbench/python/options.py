"""The options of `srbench run` by name, however they were given → what a plan and a sitting need."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, cast

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from srbench.errors import UsageError, did_you_mean
from srbench.grammar import split_list

if TYPE_CHECKING:
    from srbench.components import Kind
    from srbench.plan.matrix import Values

Names: TypeAlias = str | Sequence[str]
"""A comma list, or a list: each is one setting."""

_Count: TypeAlias = Annotated[int, Field(ge=1)]
_AnySeed: TypeAlias = int | str | Mapping[str, int]


@with_config(ConfigDict(extra="forbid"))
class RunOptions(TypedDict, total=False):
    """What `srbench run` can be asked for; docs/cli.md says what each means."""

    model: Names
    loss: Names
    dataset: Names
    channels: Names
    scale: int | str | Sequence[int | str]
    seed: _AnySeed | Sequence[_AnySeed]
    degradation: Names
    only: Names
    rerun: Literal["failed"]
    steps: Annotated[int, Field(ge=0)]
    epochs: Annotated[float, Field(ge=0)]
    patience: _Count
    max_time: str
    init: str | Path
    fork: str
    fork_optimizer: str
    recipe: str
    batch: _Count
    patch: Annotated[int, Field(ge=2)]
    lr: float
    optimizer: str
    schedule: str
    clip: float
    ema: float
    precision: str
    test: Names
    metric: Names
    grey: str
    border: int | str
    self_ensemble: bool
    tile: int
    overlap: int
    lpips_weights: str | Path
    save_images: Annotated[int, Field(ge=0)]
    device: str
    processes: _Count
    executor: str
    jobs: _Count
    determinism: str
    save_every: Annotated[float, Field(ge=0)]
    eval_every: _Count
    results: str | Path


def checked_options(given: Mapping[str, Any]) -> RunOptions:
    """`given` without what is None, each value of its type.

    Raises:
        UsageError: an option that is none, or a value of another type.
    """
    asked = {name: value for name, value in given.items() if value is not None}
    for name in asked:
        if name not in RunOptions.__annotations__:
            known = RunOptions.__annotations__
            raise UsageError(f"srbench run has no option {name!r}.{did_you_mean(name, known)}")
    try:
        TypeAdapter(RunOptions).validate_python(asked)
        return cast(RunOptions, asked)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise UsageError(f"--{name.replace('_', '-')} cannot be {asked[name]!r}: {first['msg']}.") from error


def axes_of(options: RunOptions) -> dict[str, tuple[Any, ...]]:
    """The axes that options span.

    Raises:
        UsageError: a value that is none.
    """
    from srbench.plan.matrix import typed_value  # loads torch
    from srbench.plan.terms import parse_seed
    from srbench.python.typed import typed_list

    axes: dict[str, tuple[Any, ...]] = {}
    kinds: tuple[Kind, ...] = ("model", "loss", "dataset", "degradation")
    for axis in kinds:
        axes[axis] = tuple(typed_list(axis, names_of(options.get(axis))))
    if "channels" in options:
        axes["channels"] = tuple(_several(options["channels"]))  # a comma is part of a name here
    if "scale" in options:
        axes["scale"] = tuple(typed_value("scale", text) for text in names_of(options["scale"]))
    if "seed" in options:
        axes["seed"] = tuple(parse_seed(one) for one in _several(options["seed"]))
    return {axis: values for axis, values in axes.items() if values}


def training_of(options: RunOptions) -> dict[str, Any]:
    """How runs are trained, as far as options say."""
    from srbench.plan.matrix import TRAINING

    names = ("recipe", "precision", "steps", "epochs", *TRAINING)
    return {name: value for name, value in options.items() if name in names}


def only_of(options: RunOptions) -> "tuple[Values, ...]":
    """The patterns of `--only`."""
    from srbench.plan.matrix import parse_only

    return tuple(parse_only(text) for text in _several(options.get("only", ())))


def names_of(given: Any) -> tuple[str, ...]:
    """A comma list, or several, as single settings."""
    return tuple(split_list([str(one) for one in _several(given or ())]))


def _several(given: Any) -> list[Any]:
    return list(given) if isinstance(given, Sequence) and not isinstance(given, str) else [given]
