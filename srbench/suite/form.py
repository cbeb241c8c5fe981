"""What a suite file may hold: its tables and keys, most of them called as options of `srbench run`."""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from srbench.spec import Precision
from srbench.types import Channels


def _listed(value: Any) -> Any:
    """One value stands for a list of it; an empty list spans nothing."""
    if value == []:
        raise PydanticCustomError("empty_list", "an empty list")
    return tuple(value) if isinstance(value, list) else (value,)


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class SeedParts(_Form):
    """A seed for each thing that is drawn; what is not named has 0."""

    init: int = Field(default=0, description="First weights of networks, critics and losses.")
    order: int = Field(default=0, description="The order in which patches are trained on.")
    crops: int = Field(default=0, description="Where patches are cut, how they are turned, and all noise.")


Text: TypeAlias = Annotated[str, Field(min_length=1)]
_Texts: TypeAlias = Annotated[list[Text], Field(min_length=1)]
Names: TypeAlias = Annotated[tuple[Text, ...], BeforeValidator(_listed, json_schema_input_type=Text | _Texts)]
_ChannelsList: TypeAlias = Annotated[list[Channels], Field(min_length=1)]
_AnyChannels: TypeAlias = Annotated[
    tuple[Channels, ...], BeforeValidator(_listed, json_schema_input_type=Channels | _ChannelsList)
]
_Scale: TypeAlias = Annotated[int, Field(ge=2)]
_ScaleList: TypeAlias = Annotated[list[_Scale], Field(min_length=1)]
_Scales: TypeAlias = Annotated[
    tuple[_Scale, ...], BeforeValidator(_listed, json_schema_input_type=_Scale | _ScaleList)
]
_Seed: TypeAlias = int | SeedParts
_SeedList: TypeAlias = Annotated[list[_Seed], Field(min_length=1)]
_Seeds: TypeAlias = Annotated[
    tuple[_Seed, ...], BeforeValidator(_listed, json_schema_input_type=_Seed | _SeedList)
]
_Share: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Positive: TypeAlias = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Axes(_Form):
    """Values of axes: one, or a list."""

    model: Names | None = Field(default=None, description="Models, such as lapsrn or lapsrn:depth=5.")
    loss: Names | None = Field(default=None, description="Losses or weighted sums. Not given: the recipe's.")
    dataset: Names | None = Field(
        default=None, description="What to train on. Relative paths begin at this file. Not given: sample."
    )
    channels: _AnyChannels | None = Field(
        default=None,
        description="What networks see; r,g,b is three separate ones. Not given: the model's own.",
    )
    scale: _Scales | None = Field(default=None, description="Enlargements. Not given: 4.")
    degradation: Names | None = Field(default=None, description="How LR is made from HR. Not given: bicubic.")
    seed: _Seeds | None = Field(
        default=None, description="Seeds: a number, or a table of init, order and crops. Not given: 0."
    )


class Settings(_Form):
    """How runs are trained, and how far. What is not given comes from the model's recipe."""

    recipe: Text | None = Field(
        default=None, description="Settings to begin with, which the model's plugin has."
    )
    steps: Annotated[int, Field(ge=0)] | None = Field(default=None, description="Train up to this step.")
    epochs: _Share | None = Field(default=None, description="The same in epochs; not together with steps.")
    batch: Annotated[int, Field(ge=1)] | None = Field(default=None, description="Patches a step.")
    patch: Annotated[int, Field(ge=2)] | None = Field(
        default=None, description="Side of the random HR training crop in pixels, a multiple of the scale."
    )
    lr: _Positive | None = Field(default=None, description="Learning rate.")
    optimizer: Text | None = Field(default=None, description="adam, adamw or sgd, with parameters.")
    schedule: Text | None = Field(default=None, description="constant, step or cosine, with parameters.")
    clip: _Positive | None = Field(default=None, description="Clip each network's gradient to this norm.")
    ema: Annotated[float, Field(ge=0, lt=1)] | None = Field(
        default=None, description="Decay of the moving average of the weights; 0 switches it off."
    )
    precision: Precision | None = Field(
        default=None, description="Of the arithmetic in training. Not given: auto."
    )


class When(Axes):
    """Settings for some of the runs: those that have, on each axis named here, one of the values."""

    settings: Settings = Field(description="What holds for them, over [settings].")


class Scoring(_Form):
    """What runs are scored on, and how."""

    test: Names | None = Field(
        default=None, description="Test sets. Not given: each dataset's own test half."
    )
    metric: Names | None = Field(default=None, description="Metrics, in place of the default ones.")
    grey: Literal["rgb", "keep"] | None = Field(
        default=None, description="What a single-channel test file is."
    )
    border: Annotated[int, Field(ge=0)] | Literal["scale"] | None = Field(
        default=None, description="Pixels left out at each side: a number, or scale for as many as that."
    )
    self_ensemble: bool | None = Field(
        default=None, description="The mean over each picture turned in all 8 ways."
    )
    tile: int | None = Field(
        default=None, description="Side of the tiles pictures are upscaled in, in LR pixels."
    )
    overlap: int | None = Field(default=None, description="LR pixels that neighbouring tiles share.")
    save_images: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="Keep the SR pictures of the first so many of each test set."
    )


class Sitting(_Form):
    """How a sitting goes; none of it changes what a run is."""

    max_time: Text | None = Field(
        default=None, description="Stop before this time is over (12h, 90m), save, and exit with code 75."
    )
    patience: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="End a run after so many evaluations without a better one on validation pictures.",
    )
    save_every: _Share | None = Field(default=None, description="Seconds between checkpoints. Not given: 60.")
    eval_every: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Steps between evaluations."
    )
    determinism: Literal["exact", "fast"] | None = Field(
        default=None,
        description="Whether a resumed run has the bits of an uninterrupted one. Not given: exact.",
    )


class Form(_Form):
    """A suite of srbench: a matrix of runs, how they are trained, and how they are scored."""

    description: str | None = Field(default=None, description="What the suite is for.")
    axes: Axes = Field(default=Axes(), description="Every combination of these values is a run.")
    exclude: tuple[Axes, ...] = Field(
        default=(),
        strict=False,
        description="Combinations of [axes] that are left out: those that fit all of this.",
    )
    include: tuple[Axes, ...] = Field(
        default=(),
        strict=False,
        description="Runs that are added; an axis that is not given is that of [axes].",
    )
    settings: Settings = Field(default=Settings(), description="How all runs are trained.")
    when: tuple[When, ...] = Field(default=(), strict=False, description="How some of them are trained.")
    scoring: Scoring = Field(default=Scoring(), description="What runs are scored on, and how.")
    sitting: Sitting = Field(default=Sitting(), description="How a sitting goes.")


def json_schema() -> dict[str, Any]:
    """The JSON schema of a suite file, for editors."""
    schema = _plain(Form.model_json_schema())
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "srbench suite"}


def _plain(node: Any) -> Any:
    """Without null, which TOML lacks, and without titles and defaults, which say what descriptions do."""
    if isinstance(node, list):
        return [_plain(one) for one in node]
    if not isinstance(node, dict):
        return node
    kept = {key: _plain(value) for key, value in node.items() if key not in ("title", "default")}
    if isinstance(kept.get("anyOf"), list):
        branches = [one for one in kept.pop("anyOf") if one != {"type": "null"}]
        kept |= branches[0] if len(branches) == 1 else {"anyOf": branches}
    return kept
