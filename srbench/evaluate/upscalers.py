"""What a run is scored by: its newest checkpoint, a foreign weights file, or finished pictures."""

from collections.abc import Sequence
from pathlib import Path

import torch

from srbench.checkpoint.choose import chosen
from srbench.checkpoint.read import read_latest
from srbench.components import Model
from srbench.datasets import TestSet
from srbench.errors import CheckpointError, UsageError
from srbench.files import sha256_file
from srbench.foreign.pictures import Pictures, folder_hash
from srbench.foreign.weights import Weights, read_weights
from srbench.inference import WHOLE, Inference
from srbench.predict import Networks, NetworkUpscaler, Upscaler
from srbench.progress import tell
from srbench.registry import registry
from srbench.spec import RunSpec
from srbench.store.layout import RunPaths
from srbench.store.runs import read_record
from srbench.train.state import build_networks, load_weights
from srbench.types import networks_of


def upscaler_of(
    spec: RunSpec,
    paths: RunPaths,
    tests: Sequence[TestSet],
    device: torch.device,
    inference: Inference = WHOLE,
    *,
    place: Path | None = None,
    allow_missing: bool = False,
) -> tuple[int, Upscaler]:
    """The step and what a run is scored by: networks, or pictures that another program made.

    Args:
        spec: the run.
        paths: its files.
        tests: what it will be scored on.
        device: where to compute.
        inference: how pictures are put through networks.
        place: of a foreign file or folder; None: where it was when it was first scored.
        allow_missing: score the pictures that are there.

    Raises:
        CheckpointError: there is no checkpoint, or it does not fit.
        DatasetError: pictures of the test sets are missing.
        UsageError: a foreign file is gone or changed, or tiles are asked for that cannot be.
    """
    if spec.source is not None and spec.source.kind == "pictures":
        if inference != WHOLE:
            raise UsageError(
                f"{paths.id} is a folder of finished pictures. --tile and --self-ensemble are for networks; "
                "leave them out."
            )
        folder = place or source_of(spec, paths)
        return 0, Pictures(folder, tests, spec.scale, allow_missing=allow_missing)
    return network_upscaler_of(spec, paths, device, inference, place=place)


def network_upscaler_of(
    spec: RunSpec,
    paths: RunPaths,
    device: torch.device,
    inference: Inference = WHOLE,
    *,
    place: Path | None = None,
    which: str | None = None,
) -> tuple[int, NetworkUpscaler]:
    """As `upscaler_of`, where nothing but networks will do: a sound checkpoint, or a foreign file.

    Args:
        spec, paths, device, inference, place: as for `upscaler_of`.
        which: of the checkpoints, a step or `best`; None: the newest.

    Raises:
        CheckpointError: there is no checkpoint, or it does not fit.
        UsageError: a foreign file is gone or changed, the run is a folder of pictures, it has no such
            checkpoint, or tiles cannot be.
    """
    if which is not None and not spec.trained:
        raise UsageError(f"{paths.id} was not trained by srbench and has no checkpoints. Leave --step out.")
    if spec.source is None:
        model: Model = registry().find("model", spec.model.name)
        tell_terms(spec)
        params, called = spec.model.params, model.title
        multiple, tileable = model.padded_to(params), model.sees_tiles(params)
        step, networks = _trained(spec, paths, device, which)
    elif spec.source.kind == "pictures":
        raise UsageError(f"{paths.id} is a folder of pictures and has no networks.")
    else:
        weights = _weights(spec, place or source_of(spec, paths), device)
        tell(weights.terms)
        multiple, tileable, called = weights.size_multiple, weights.tileable, f"The network of {paths.id}"
        step, networks = 0, weights.networks
    return step, NetworkUpscaler(
        networks,
        spec.network_channels,
        spec.scale,
        multiple,
        tileable,
        device,
        inference,
        called,
    )


def tell_terms(spec: RunSpec) -> None:
    """Tell once a process what the plugin of a run's model wants known before it is used."""
    model: Model = registry().find("model", spec.model.name)
    planes = 3 if "rgb" in networks_of(spec.network_channels) else 1
    tell(model.told({**spec.model.params, "planes": planes, "scale": spec.scale}))


def _trained(spec: RunSpec, paths: RunPaths, device: torch.device, which: str | None) -> tuple[int, Networks]:
    """The step and the networks of a run's newest sound checkpoint, or of the one asked for."""
    networks = build_networks(spec, device)
    if not spec.trained:
        return 0, networks
    found = (
        read_latest(paths.checkpoints, spec.sha256, paths.id)
        if which is None
        else chosen(paths.checkpoints, spec.sha256, paths.id, which)
    )
    if found is None:
        raise CheckpointError(
            f"{paths.id} has no checkpoint yet, so there is nothing to score. Train it first."
        )
    load_weights(networks, found.model)
    return found.step, networks


def _weights(spec: RunSpec, place: Path, device: torch.device) -> Weights:
    """The networks of a foreign weights file, channels_last on the device."""
    weights = read_weights(place, spec.model, spec.scale, spec.channels)
    for network in weights.networks.values():
        network.to(device).to(memory_format=torch.channels_last)
    return weights


def source_of(spec: RunSpec, paths: RunPaths) -> Path:
    """Where a run's foreign file or folder lies, unchanged since it was first scored.

    Raises:
        UsageError: it is gone, or is another one now.
    """
    assert spec.source is not None
    record = read_record(paths)
    place = Path(str(record.provenance.get("source") if record else ""))
    option = f"--{spec.source.kind} {place}"
    if not place.exists():
        raise UsageError(
            f"{paths.id} was made of {place}, which is not there any more. Put it back, or give srbench eval "
            "the same options with its new place."
        )
    now = folder_hash(place) if spec.source.kind == "pictures" else sha256_file(place)
    if now != spec.source.sha256:
        raise UsageError(
            f"{place} has changed since {paths.id} was made of it. srbench eval {option} scores it as it is "
            "now, beside the old one."
        )
    return place
