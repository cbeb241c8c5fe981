"""Any metric of the package pyiqa that scores one picture, or a picture and its reference."""

import hashlib
import logging
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

import torch
from torch import Tensor

from srbench.api import MetricUnavailable, UsageError, did_you_mean
from srbench_pyiqa.containment import contained

_log = logging.getLogger(__name__)
_CPU = torch.device("cpu")


def facts(name: str) -> dict[str, object]:
    """What a score depends on: pyiqa's version, what the metric compares, the SHA-256 of its weights.

    Raises:
        UsageError: pyiqa has no such metric, or it scores sets of pictures.
        MetricUnavailable: pyiqa is not installed, or cannot make the metric here.
    """
    metric = _metric(name, _CPU)
    _tell_terms()
    return {
        "pyiqa": _version(),
        "mode": metric.metric_mode,
        "lower_better": bool(metric.lower_better),
        "weights_sha256": _weights_sha256(metric),
    }


def better(name: str) -> Literal["higher", "lower"]:
    """The direction, as pyiqa says.

    Raises:
        UsageError, MetricUnavailable: as `facts`.
    """
    return "lower" if _metric(name, _CPU).lower_better else "higher"


@torch.no_grad()
def pyiqa(sr: Tensor, hr: Tensor, name: str) -> Tensor:
    """What pyiqa's metric of that name gives, with its own settings, one picture at a time.

    Args:
        sr: model output, (N, 3, H, W) RGB, floating point, in [0, 1].
        hr: ground truth, same shape and range; a no-reference metric is not shown it.
        name: as `pyiqa.list_models()` has it, such as `musiq`.

    Returns:
        (N,), float64, on the device of `sr`. NaN where `sr` is not finite, and where the metric fails on a
        picture, of which a warning tells.

    Raises:
        UsageError, MetricUnavailable: as `facts`.

    Source: Chen et al. 2024, arXiv:2208.14818 (TOPIQ), for the package; pyiqa names each metric's own.
    """
    metric = _metric(name, sr.device)
    scores = torch.full((len(sr),), torch.nan, dtype=torch.float64, device=sr.device)
    for n in range(len(sr)):
        if sr[n].isfinite().all():
            scores[n] = _score(metric, name, sr[n : n + 1].float(), hr[n : n + 1].float())
    return scores


def _score(metric: Any, name: str, sr: Tensor, hr: Tensor) -> float:
    pictures = (sr, hr) if metric.metric_mode == "FR" else (sr,)
    try:
        with contained(sr.device), torch.autocast(sr.device.type, enabled=False):
            return float(metric(*pictures))
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # a package of a hundred metrics: each has its own way to refuse a picture
        height, width = sr.shape[-2:]
        _log.warning(
            "pyiqa's %s gives no score for a picture of %d×%d: %s", name, width, height, _said(error)
        )
        return float("nan")


def _metric(name: str, device: torch.device) -> Any:
    made = _made(name, device)
    if isinstance(made, Exception):
        raise type(made)(*made.args)  # a new one: a traceback would hold on to every frame
    return made


@cache
def _made(name: str, device: torch.device) -> Any:
    """The metric, or the error that says why there is none: it is tried once a process."""
    try:
        with contained(device):
            import pyiqa as package

            known = list(package.list_models())
    except Exception as error:  # not only ImportError: it brings two dozen packages along
        return MetricUnavailable(
            f"pyiqa:name={name} cannot be computed: the package pyiqa cannot be imported ({_said(error)}). "
            'pip install "srbench-harness[pyiqa]" brings it; it is licensed for noncommercial use only.'
        )
    if name not in known:
        return UsageError(
            f"pyiqa {_version()} has no metric {name!r}.{did_you_mean(name, known)} "
            'python -c "import pyiqa; print(pyiqa.list_models())" lists all.'
        )
    if "fid" in name or name == "inception_score":
        return UsageError(f"pyiqa's {name} compares sets of pictures; srbench scores one picture at a time.")
    try:
        # Whatever runs in training as well must not be moved, and pyiqa initialises whole networks.
        with contained(device), torch.inference_mode(False):
            return package.create_metric(name, device=device)
    except Exception as error:  # downloads, formats and packages of each metric fail in ways of their own
        return MetricUnavailable(
            f"pyiqa:name={name} cannot be computed: pyiqa {_version()} cannot make it here ({_said(error)}). "
            "It downloads weights itself, at the first use: use it once where there is a network, or leave "
            "it out."
        )


@cache
def _tell_terms() -> None:
    _log.warning(
        "pyiqa is licensed for noncommercial use only (PolyForm Noncommercial 1.0.0), and the weights of its "
        "metrics have terms of their own."
    )


def _weights_sha256(metric: Any) -> str:
    """SHA-256 over the sorted names, shapes and bytes of the network's weights."""
    digest = hashlib.sha256()
    for key, value in sorted(metric.net.state_dict().items()):
        if isinstance(value, Tensor):
            digest.update(f"{key} {tuple(value.shape)} {value.dtype} ".encode())
            digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _version() -> str:
    try:
        return version("pyiqa")
    except PackageNotFoundError:
        return "of unknown version"


def _said(error: Exception) -> str:
    """An error of another package as one clause."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:200].rstrip(": .")
