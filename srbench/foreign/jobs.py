"""What was asked of `srbench eval` for foreign weights or pictures → jobs, the baselines first."""

import logging
from collections.abc import Sequence
from pathlib import Path

from srbench.datasets import scored_sets
from srbench.errors import UsageError
from srbench.files import sha256_file
from srbench.foreign.pictures import Pictures, folder_hash, listed
from srbench.foreign.weights import read_weights
from srbench.plan import DEFAULT_SCALE, Job, untrained_spec, with_baselines
from srbench.plan.terms import check_scale, component_spec, parse_channels
from srbench.registry import registry
from srbench.spec import ComponentSpec, Source

PICTURES = ComponentSpec(name="pictures")
"""Stands for the model of pictures whose model srbench does not know."""

_log = logging.getLogger(__name__)


def weights_jobs(
    path: Path,
    model_text: str,
    tests: Sequence[str],
    degradation_text: str,
    *,
    scale: int | None = None,
    channels: str | None = None,
    name: str | None = None,
) -> list[Job]:
    """Jobs that score a weights file beside bicubic.

    Args:
        path: the file.
        model_text: model and parameters, as typed.
        tests: what to score on, as typed; at least one.
        degradation_text: how LR is made, as typed.
        scale: None: what the file says, else 4.
        channels: None: what the file says, else the model's default.
        name: in tables; None: the file's name without its suffix.

    Raises:
        UsageError: a name or parameter is wrong, or the file does not fit.
    """
    model = component_spec("model", model_text)
    if scale is not None:
        check_scale(registry().find("model", model.name), scale)
    asked = parse_channels(channels) if channels is not None else None
    weights = read_weights(path, model, scale, asked)
    source = Source(kind="weights", sha256=sha256_file(path))
    degradation = component_spec("degradation", degradation_text)
    spec = untrained_spec(model, weights.scale, degradation, source, weights.channels)
    job = Job(spec, scored_sets(tests, spec.scale), name=_named(name, path.stem), place=path.absolute())
    return with_baselines([job])


def pictures_jobs(
    folder: Path,
    tests: Sequence[str],
    degradation_text: str,
    *,
    scale: int | None = None,
    name: str | None = None,
    allow_missing: bool = False,
) -> list[Job]:
    """Jobs that score a folder of SR pictures beside bicubic.

    Args:
        folder: with the pictures of every test set.
        tests: what they are of, as typed; at least one.
        degradation_text: how the LR pictures were made that they come from, as typed.
        scale: their factor; None: 4.
        name: in tables; None: the folder's name.
        allow_missing: score what is there.

    Raises:
        UsageError: the folder is missing or empty, or a name is wrong.
        DatasetError: pictures are missing or of the wrong size.
    """
    source = Source(kind="pictures", sha256=folder_hash(folder))
    factor = scale or DEFAULT_SCALE
    if factor < 2:
        raise UsageError(f"--scale {factor} enlarges nothing. Take 2 or more.")
    pictured = scored_sets(tests, factor)
    extra = Pictures(folder, pictured, factor, allow_missing=allow_missing).extra
    if extra:
        _log.warning(
            "Left out of %s, since no picture of %s is called so: %s.",
            folder, ", ".join(test.name for test in pictured), listed(extra),
        )  # fmt: skip
    spec = untrained_spec(PICTURES, factor, component_spec("degradation", degradation_text), source)
    job = Job(spec, pictured, name=_named(name, folder.absolute().name), place=folder.absolute())
    return with_baselines([job])


def _named(name: str | None, default: str) -> str:
    chosen = default if name is None else name.strip()
    if not chosen or not chosen.isprintable():
        raise UsageError(f"--name {name!r} is no name. Give one that can stand in a table.")
    return chosen
