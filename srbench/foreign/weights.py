"""A weights file as networks: srbench's own by names, any other through the reader of its model's plugin."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from srbench.components import Model
from srbench.errors import CheckpointError, UsageError
from srbench.plan import DEFAULT_SCALE
from srbench.plan.terms import check_scale
from srbench.registry import registry
from srbench.spec import ComponentSpec
from srbench.train.state import first_reasons, load_weights
from srbench.types import CHANNELS, Channels, ForeignModel, Plane, networks_of


@dataclass(frozen=True)
class Weights:
    """Networks on the CPU with a file's weights, and what is to be known of them."""

    networks: Mapping[Plane, nn.Module]
    scale: int
    channels: Channels
    size_multiple: int
    tileable: bool
    terms: str = ""


def read_weights(path: Path, model: ComponentSpec, scale: int | None, channels: Channels | None) -> Weights:
    """The networks in a weights file; read once, as long as no other is asked for.

    A safetensors file whose names fit the model's network is read here. Any other goes to the model's reader.

    Args:
        path: the file.
        model: with all its parameters.
        scale: as asked; None: what the file says, else 4.
        channels: as asked; None: what the file says, else the model's default.

    Raises:
        UsageError: it cannot be read, does not fit the model, or contradicts what was asked.
    """
    try:
        stat = path.stat()
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}). Name a weights file.") from error
    if not path.is_file():
        raise UsageError(f"{path} is a folder. Name one weights file; --pictures takes a folder of pictures.")
    key = model.model_dump_json()
    return _read(path, (stat.st_mtime_ns, stat.st_size), key, scale, channels)


@lru_cache(maxsize=1)  # planning reads it for its scale, scoring for its weights
def _read(
    path: Path, state: tuple[int, int], model_json: str, scale: int | None, channels: Channels | None
) -> Weights:
    del state  # of the file: a new one under the same name is read anew
    spec = ComponentSpec.model_validate_json(model_json)
    model: Model = registry().find("model", spec.name)
    tensors = _safetensors(path) if model.trainable and path.suffix == ".safetensors" else None
    if tensors is not None:
        loaded = _by_names(tensors, model, spec.params, scale, channels)
        if loaded is not None:
            return loaded
    if model.reader is None:
        raise UsageError(
            f"Model {model.name!r} has no reader for {path.name}. srbench itself reads safetensors files "
            "whose names are those of the model's network; convert it to that, or write a reader "
            "(docs/foreign.md)."
        )
    given = {"scale": scale, "planes": None if channels is None else _planes(channels)}
    if model.trainable:  # a network of the plugin's own: mostly the file cannot say what it is
        given |= {"scale": scale or DEFAULT_SCALE, "planes": _planes(channels or model.channels)}
        check_scale(model, scale or DEFAULT_SCALE)
    result = model.read(path, {**given, **spec.params})
    if isinstance(result, ForeignModel):
        return _as_it_says(path, result, scale, channels)
    chosen = channels or model.channels
    networks = _build(model, spec.params, scale or DEFAULT_SCALE, chosen)
    for network in networks.values():
        try:
            network.load_state_dict(result)
        except RuntimeError as error:
            raise UsageError(
                f"{path} does not fit {model.name!r} as it was asked for: {first_reasons(error)}. Its "
                "parameters, --scale or --channels may be other ones."
            ) from error
    return _weights(networks, model, spec.params, scale or DEFAULT_SCALE, chosen)


def _weights(
    networks: Mapping[Plane, nn.Module],
    model: Model,
    params: Mapping[str, Any],
    scale: int,
    channels: Channels,
) -> Weights:
    """Networks of the model's own, with what it says of them."""
    told = model.told({**params, "planes": _planes(channels), "scale": scale})
    return Weights(networks, scale, channels, model.padded_to(params), model.sees_tiles(params), told)


def _by_names(
    tensors: Mapping[str, Tensor],
    model: Model,
    params: Mapping[str, Any],
    scale: int | None,
    channels: Channels | None,
) -> Weights | None:
    """The networks, where the names are those of a checkpoint (`y.conv.weight`) or of one plain network."""
    prefixes = {name.partition(".")[0] for name in tensors}
    stored = next((one for one in CHANNELS if set(networks_of(one)) == prefixes), None)
    chosen = channels or stored or model.channels
    scale = scale or DEFAULT_SCALE
    check_scale(model, scale)
    if stored is not None and stored != chosen:
        raise UsageError(
            f"The file holds networks of --channels {stored}, and --channels {chosen} was asked for. "
            "Leave the option out."
        )
    try:
        networks = _build(model, params, scale, chosen)
    except UsageError:
        if model.reader is None:
            raise
        return None  # what the settings do not say, the file may
    if stored is None:
        one = next(iter(networks.values()))
        if set(one.state_dict()) != set(tensors):
            return None
        tensors = {f"{plane}.{name}": value for plane in networks for name, value in tensors.items()}
    try:
        load_weights(networks, tensors)
    except CheckpointError as error:
        raise UsageError(
            f"The file does not fit {model.name!r} at ×{scale}: {error} Or give the parameters and --scale "
            "it was trained with."
        ) from error
    return _weights(networks, model, params, scale, chosen)


def _as_it_says(path: Path, model: ForeignModel, scale: int | None, channels: Channels | None) -> Weights:
    if scale not in (None, model.scale):
        raise UsageError(f"{path} is a network for ×{model.scale}, and --scale {scale} was asked for.")
    if model.scale < 2:
        raise UsageError(f"{path} is a network for ×{model.scale}: it does not enlarge, so it has no score.")
    chosen = channels or model.channels
    if _planes(chosen) != _planes(model.channels):
        raise UsageError(
            f"{path} is a network of {_planes(model.channels)} plane(s), and --channels {chosen} needs "
            f"{_planes(chosen)}. Take --channels {model.channels}."
        )
    networks = dict.fromkeys(networks_of(chosen), model.network)
    return Weights(networks, model.scale, chosen, model.size_multiple, model.tileable, model.terms)


def _build(model: Model, params: Mapping[str, Any], scale: int, channels: Channels) -> dict[Plane, nn.Module]:
    return {
        plane: model.make(planes=3 if plane == "rgb" else 1, scale=scale, **params)
        for plane in networks_of(channels)
    }


def _planes(channels: Channels) -> int:
    return 3 if channels == "rgb" else 1


def _safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise UsageError(f"{path} is no sound safetensors file ({error}). Copy it again.") from error
