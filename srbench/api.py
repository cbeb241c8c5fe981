"""All that a plugin may import. What is not listed here may change without notice."""

import sys
from typing import TYPE_CHECKING

from srbench.components import resolve
from srbench.data.place import data_dir
from srbench.errors import (
    DatasetError,
    MetricUnavailable,
    PictureError,
    RunLockedError,
    SizeError,
    SrbenchError,
    StoppedError,
    UsageError,
    did_you_mean,
)
from srbench.facts import Archive, DatasetFacts, Figure, Known
from srbench.hookspecs import API_VERSION, hookimpl
from srbench.progress import News, Said
from srbench.types import (
    Channels,
    Dataset,
    ForeignModel,
    Picture,
    Plane,
    RegisterDataset,
    RegisterDegradation,
    RegisterLoss,
    RegisterMetric,
    RegisterModel,
    RegisterTrainer,
    RunInfo,
)

if TYPE_CHECKING:
    from srbench.executors.causes import last_words
    from srbench.executors.contract import Executor, Outcome, Settings, Workers
    from srbench.executors.local import run_job
    from srbench.executors.losses import record_loss
    from srbench.executors.processes import run_apart
    from srbench.executors.queue import Queue
    from srbench.executors.view import View
    from srbench.executors.waiting import forget_queued, is_held, note_queued, queued_as
    from srbench.images.download import is_offline
    from srbench.images.png import picture_size
    from srbench.images.resize import resize_bicubic
    from srbench.metrics.backbones import build_features, find_weights
    from srbench.metrics.lpips import facts as lpips_facts
    from srbench.metrics.lpips import lpips_distance
    from srbench.metrics.published import PublishedFile, find_published
    from srbench.plan import Job
    from srbench.train.stop import Stop
    from srbench.train.trainer import Trainer

__all__ = [
    "API_VERSION",
    "Archive",
    "Channels",
    "Dataset",
    "DatasetError",
    "DatasetFacts",
    "Executor",
    "Figure",
    "ForeignModel",
    "Job",
    "Known",
    "MetricUnavailable",
    "News",
    "Outcome",
    "Picture",
    "PictureError",
    "Plane",
    "PublishedFile",
    "Queue",
    "RegisterDataset",
    "RegisterDegradation",
    "RegisterLoss",
    "RegisterMetric",
    "RegisterModel",
    "RegisterTrainer",
    "RunInfo",
    "RunLockedError",
    "Said",
    "Settings",
    "SizeError",
    "SrbenchError",
    "Stop",
    "StoppedError",
    "Trainer",
    "UsageError",
    "View",
    "Workers",
    "build_features",
    "data_dir",
    "did_you_mean",
    "find_published",
    "find_weights",
    "forget_queued",
    "hookimpl",
    "is_held",
    "is_offline",
    "last_words",
    "lpips_distance",
    "lpips_facts",
    "note_queued",
    "picture_size",
    "queued_as",
    "record_loss",
    "resize_bicubic",
    "run_apart",
    "run_job",
]


_LAZY = {
    "Executor": "srbench.executors.contract:Executor",
    "Job": "srbench.plan:Job",
    "Outcome": "srbench.executors.contract:Outcome",
    "PublishedFile": "srbench.metrics.published:PublishedFile",
    "Queue": "srbench.executors.queue:Queue",
    "Settings": "srbench.executors.contract:Settings",
    "Stop": "srbench.train.stop:Stop",
    "Trainer": "srbench.train.trainer:Trainer",
    "View": "srbench.executors.view:View",
    "Workers": "srbench.executors.contract:Workers",
    "build_features": "srbench.metrics.backbones:build_features",
    "find_published": "srbench.metrics.published:find_published",
    "find_weights": "srbench.metrics.backbones:find_weights",
    "forget_queued": "srbench.executors.waiting:forget_queued",
    "is_held": "srbench.executors.waiting:is_held",
    "is_offline": "srbench.images.download:is_offline",
    "last_words": "srbench.executors.causes:last_words",
    "lpips_distance": "srbench.metrics.lpips:lpips_distance",
    "lpips_facts": "srbench.metrics.lpips:facts",
    "note_queued": "srbench.executors.waiting:note_queued",
    "picture_size": "srbench.images.png:picture_size",
    "queued_as": "srbench.executors.waiting:queued_as",
    "record_loss": "srbench.executors.losses:record_loss",
    "resize_bicubic": "srbench.images.resize:resize_bicubic",
    "run_apart": "srbench.executors.processes:run_apart",
    "run_job": "srbench.executors.local:run_job",
}


def _deprecated(name: str) -> str:
    """Where a name is now that goes away, said to who asks for it."""
    from srbench.deprecations import warn_of_name
    from srbench.plugins import distribution_of

    asker = sys._getframe(2)
    file = asker.f_code.co_filename
    return warn_of_name(
        name, distribution_of(asker.f_globals.get("__name__", "")) or file, file, asker.f_lineno
    )


def __getattr__(name: str) -> object:
    """Parts that load torch come on first use, so that a plugin module stays cheap to import."""
    if name in _LAZY:
        return resolve(_LAZY[name])
    from srbench.deprecations import NAMES

    if name in NAMES:
        return resolve(_deprecated(name))
    raise AttributeError(f"module 'srbench.api' has no attribute {name!r}")
