"""Small and real: crops of the photographs that scikit-image ships, and a LapSRN that trains in a second."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from srbench.cli.app import main
from srbench.evaluate.scoring import Scoring, resolve_metrics
from srbench.executors.local import Settings, execute
from srbench.plan import Job, Request, plan
from srbench.plan.settings import Budget
from srbench.store.layout import RunPaths
from srbench.testing.pictures import TinyDataset, write_pictures
from srbench.testing.registration import Registration
from srbench.train.loop import Cadence
from srbench.train.stop import Stop

MODEL = "lapsrn:features=4,depth=1"


class StopAt(Stop):
    """Asks to stop at the n-th look, as a signal at a random moment would."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.looks = looks

    @property
    def reason(self):
        self.looks -= 1
        return "Ctrl-C" if self.looks < 0 else None


def picture_folder(root: Path, *, colour: bool = True) -> Path:
    """`root` with train/, val/ and test/: crops of 48 to 64 pixels a side of six photographs."""
    return write_pictures(root, colour=colour).root


def dataset_text(root: Path) -> str:
    """How that folder is typed."""
    return TinyDataset(root).text


def small_request(root: Path, **changes: object) -> Request:
    """A request for one tiny run on the pictures under `root`; `changes` are fields of `Request`."""
    settings = {"batch": 4, "patch": 16, "lr": 1e-3, "ema": 0.9, **changes.pop("settings", {})}  # type: ignore[dict-item]
    fields = {
        "models": (MODEL,),
        "losses": ("charbonnier",),
        "datasets": (dataset_text(root),),
        "precision": "fp32",
        "budget": Budget(steps=6),
        **changes,
    }
    return Request(settings=settings, **fields)  # type: ignore[arg-type]


def small_job(root: Path, **changes: object) -> Job:
    """The one trained job of `small_request`."""
    (job,) = [job for job in plan(small_request(root, **changes)) if job.spec.trained]
    return job


def small_arguments(root: Path, results: Path, *more: str) -> list[str]:
    """The command line of a tiny run."""
    return [
        "run", "--model", MODEL, "--loss", "charbonnier", "--dataset", dataset_text(root), "--batch", "4",
        "--patch", "16", "--steps", "6", "--precision", "fp32", "--metric", "psnr",
        "--results", str(results), *more,
    ]  # fmt: skip


def srbench(arguments: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> int:
    """Run the command line in this process, as the installed script would; returns its exit code."""
    monkeypatch.setattr(sys, "argv", ["srbench", *arguments])
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


class Noisy(nn.Sequential):
    """Batch norm, whose buffers training moves, and dropout, which draws."""

    def __init__(self, planes: int, scale: int) -> None:
        super().__init__(
            nn.Conv2d(planes, 8, 3, padding=1), nn.BatchNorm2d(8), nn.Dropout2d(0.2),
            nn.Conv2d(8, planes * scale**2, 3, padding=1), nn.PixelShuffle(scale),
        )  # fmt: skip


@contextmanager
def noisy_plugin() -> Iterator[None]:
    """The model `noisy`, registered in this process while the block runs."""

    with Registration() as register:
        register("model", "noisy", lambda planes, scale: Noisy(planes, scale))
        yield


def settings(device: str = "cpu", processes: int = 1, **cadence: object) -> Settings:
    """Exact, validated every third step, scored by PSNR alone."""
    scoring = Scoring(*resolve_metrics(["psnr"]))
    return Settings(
        torch.device(device), "exact", Cadence(**{"eval_every": 3, **cadence}), scoring, quiet=True,
        processes=processes,
    )  # fmt: skip


def train_whole_and_in_parts(job: Job, root: Path, device: str = "cpu") -> None:
    """The job in one go under `root`/whole, and in parts, saved at every step, under `root`/parts."""
    execute([job], root / "whole", settings(device), Stop())
    for looks in (9, 12, 14, 10**6):
        execute([job], root / "parts", settings(device, save_every_s=0), StopAt(looks))


def trained_weights(
    job: Job, results: Path, processes: int = 1, stop: Stop | None = None, **cadence: object
) -> dict[str, Tensor]:
    """The weights a run ends with."""
    (outcome,) = execute([job], results, settings(processes=processes, **cadence), stop or Stop())
    if outcome.error is not None:
        raise outcome.error
    newest = max(RunPaths(results / job.spec.id).checkpoints.iterdir())
    return load_file(newest / "model.safetensors")


def apart(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """The largest difference of two runs' weights."""
    return max(float((one[name] - other[name]).abs().max()) for name in one)


def apart_by_two(job: Job, root: Path) -> float:
    """The same, of the job trained by one process and by two."""
    return apart(trained_weights(job, root / "2", 2), trained_weights(job, root / "1"))
