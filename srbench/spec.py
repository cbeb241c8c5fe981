"""RunSpec: what a run is. Frozen, validated, with a canonical JSON and an id made from it."""

from collections.abc import Mapping
from typing import Any, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, ValidationError

from srbench.errors import StoreError
from srbench.files import canonical_json, sha256_text
from srbench.types import Channels

Precision = Literal["auto", "fp32", "bf16", "fp16"]

_SCHEMA = 1
_LATER: dict[str, Any] = {"source": None, "origin": None}
"""Fields that joined after the first release, with the default at which they stay out of the JSON, so that
ids made before them stay what they were."""
_LATER_OF_LOSS: dict[str, Any] = {"facts": {}, "kind": "loss"}
"""The same of each term of a loss."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ComponentSpec(_Frozen):
    """A component with all its parameters, defaults filled in."""

    name: str
    params: dict[str, Any] = {}

    def __str__(self) -> str:
        given = ",".join(f"{key}={_text(value)}" for key, value in self.params.items())
        return self.name + (f":{given}" if given else "")


class LossSpec(ComponentSpec):
    """One weighted term of a sum of losses; `facts` is what it depends on besides, such as frozen weights.

    Or, of kind `trainer`, the only one: what trains the networks in a way of its own.
    """

    weight: float = 1.0
    facts: dict[str, Any] = {}
    kind: Literal["loss", "trainer"] = "loss"


class DatasetSpec(ComponentSpec):
    """A dataset: parameters without paths; `sha256` is over the names and hashes of its training half."""

    sha256: str


class Source(_Frozen):
    """What another program made and srbench only scores: a weights file, or a folder of SR pictures.

    `sha256` is of the weights file's bytes, or over the names and file hashes of the pictures.
    """

    kind: Literal["weights", "pictures"]
    sha256: str


class Origin(_Frozen):
    """What training begins from, where that is not a random draw.

    `init`: weights alone, of a file or of a run. `fork`: the whole state of a run. `run` and `step` name
    the checkpoint. `sha256` is of the weights file, or of the checkpoint's manifest. `optimizer` says
    whether a fork keeps the moments.
    """

    kind: Literal["init", "fork"]
    sha256: str
    run: str | None = None
    step: int | None = None
    optimizer: Literal["keep", "reset"] | None = None


class Seeds(_Frozen):
    """The three things that a seed sets, where they are not all set by the same number.

    Args:
        init: first weights of networks, critics and losses.
        order: the order in which patches are trained on.
        crops: where in a picture they are cut and how they are turned, noise in networks and losses, and what
            a degradation draws.
    """

    init: int = 0
    order: int = 0
    crops: int = 0

    def __str__(self) -> str:
        parts = {name: value for name, value in self.model_dump().items() if value}
        return ",".join(f"{name}={value}" for name, value in parts.items())


Seed: TypeAlias = int | Seeds
"""One number for all that is drawn, or one for each."""


class RunSpec(_Frozen):
    """One training trajectory. Everything here enters the run id; how far to go along it does not.

    A model that is not trained has None wherever training is described; `source` is there for what was
    trained elsewhere.
    """

    model: ComponentSpec
    loss: tuple[LossSpec, ...] | None
    dataset: DatasetSpec | None
    channels: Channels | None
    scale: int
    degradation: ComponentSpec
    seed: Seed | None
    precision: Precision | None
    optimizer: ComponentSpec | None
    learning_rate: float | None
    schedule: ComponentSpec | None
    clip: float | None
    ema: float | None
    batch: int | None
    patch: int | None
    source: Source | None = None
    origin: Origin | None = None

    @classmethod
    def from_stored(cls, data: Mapping[str, Any]) -> Self:
        """The spec that `data()` gave `data` of; run.json and checkpoints hold it.

        Raises:
            StoreError: what is stored is no specification, or one of another srbench.
        """
        if data.get("schema", _SCHEMA) != _SCHEMA:
            raise StoreError(
                f"A stored specification has schema {data['schema']}, and this srbench reads {_SCHEMA}. "
                "Update srbench to read it."
            )
        try:
            return cls.model_validate({key: value for key, value in data.items() if key != "schema"})
        except ValidationError as error:
            first = error.errors()[0]
            raise StoreError(
                f"A stored specification is damaged ({'.'.join(map(str, first['loc']))}: {first['msg']}). "
                "Restore its run.json from a copy, or remove the run's folder to start it again."
            ) from error

    @property
    def trained(self) -> bool:
        """Whether there is anything to train."""
        return self.loss is not None

    @property
    def losses(self) -> tuple[LossSpec, ...]:
        """The terms of its loss; none where it has a trainer or is not trained."""
        return () if self.trainer else self.loss or ()

    @property
    def trainer(self) -> LossSpec | None:
        """What trains it in a way of its own, where its loss is such a one."""
        return next((term for term in self.loss or () if term.kind == "trainer"), None)

    @property
    def seeds(self) -> Seeds:
        """The seed of each thing that is drawn; 0 where nothing is trained."""
        seed = self.seed or 0
        return seed if isinstance(seed, Seeds) else Seeds(init=seed, order=seed, crops=seed)

    @property
    def network_channels(self) -> Channels:
        """The channels its networks see; a model that is not trained upscales RGB."""
        return self.channels or "rgb"

    def data(self) -> dict[str, Any]:
        """The spec as plain data, the content of its canonical JSON."""
        data: dict[str, Any] = self.model_dump(mode="json")
        for name, default in _LATER.items():
            if data[name] == default:
                del data[name]
        for term in data["loss"] or ():
            for name, default in _LATER_OF_LOSS.items():
                if term[name] == default:
                    del term[name]
        return {"schema": _SCHEMA, **data}

    @property
    def canonical(self) -> str:
        """Canonical JSON: equal specs give equal text."""
        return canonical_json(self.data())

    @property
    def sha256(self) -> str:
        """SHA-256 of the canonical JSON; checkpoints carry it."""
        return sha256_text(self.canonical)

    @property
    def id(self) -> str:
        """Readable slug and 10 hex digits of the canonical JSON's SHA-256."""
        parts = [self.model.name]
        if self.loss is not None and self.dataset is not None and self.channels is not None:
            parts += ["+".join(term.name for term in self.loss), self.dataset.name]
            parts += [self.channels.replace(",", "_")]
        if self.source is not None and self.source.kind == "weights":
            parts += ["weights", self.network_channels.replace(",", "_")]
        parts.append(f"x{self.scale}")
        if self.origin is not None:
            parts.append(self.origin.kind)
        if self.seed:
            parts.append(f"s{self.seed}".replace(",", "_").replace("=", ""))
        return "-".join(part.replace("/", "_") for part in parts) + f"-{self.sha256[:10]}"


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)
