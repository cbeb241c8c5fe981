"""Where and how exactly a run computes: device, precision, determinism. The engine record of run.json."""

import logging
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib.metadata import version
from typing import Any, Literal

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.lightning import LightningEnvironment

from srbench import __version__
from srbench.errors import UsageError

_log = logging.getLogger(__name__)

Determinism = Literal["exact", "fast"]

THREADS = torch.get_num_threads()
"""As the process began: an engine that is set up later changes torch's own number."""


@dataclass(frozen=True)
class Engine:
    """What can change bits but not meaning; fixed at a run's first start and used again on resume.

    Args:
        device: `cpu`, or the kind and model of the accelerator.
        precision: as resolved: `fp32`, `bf16` or `fp16`.
        determinism: `exact` or `fast`.
        threads: CPU threads of one operation in each process; their number changes the order of sums.
        kernels: the instruction set that torch's CPU kernels use.
        versions: of Python, torch, numpy and srbench.
        processes: how many train together.
    """

    device: str
    precision: str
    determinism: str
    threads: int
    kernels: str
    versions: dict[str, str]
    processes: int = 1

    def data(self) -> dict[str, Any]:
        """The record as plain data."""
        return asdict(self)


@cache
def pick_device(asked: str) -> torch.device:
    """`auto`, `cpu`, `cuda` or `cuda:1` → a device that is there; `auto` takes a GPU where there is one.

    Apple's GPUs have no float64, in which scores are summed, so they are not among the choices.

    Raises:
        UsageError: it is not there.
    """
    kind, _, index = asked.partition(":")
    try:
        if kind not in ("auto", "cpu", "cuda"):
            raise ValueError(f"{kind!r} is none of auto, cpu, cuda")
        if kind == "auto":
            kind = "cuda" if torch.cuda.is_available() else "cpu"
        elif kind == "cuda" and not torch.cuda.is_available():
            raise ValueError("torch sees no CUDA device")
        devices: Any = [int(index)] if index else 1
        # Where there is a Slurm, Fabric would take its word for how many processes train together.
        return Fabric(accelerator=kind, devices=devices, plugins=LightningEnvironment()).device
    except Exception as error:
        there = ["cpu", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]
        raise UsageError(
            f"--device {asked} is not to be had here ({first_line(error)}). This machine has: "
            f"{', '.join(there)}. Leave --device out to take the best one."
        ) from error


def check_processes(processes: int, asked: str, device: torch.device) -> None:
    """That there is a GPU for each process, where they train on GPUs.

    Raises:
        UsageError: there is not, or `--device` names one of them.
    """
    if processes == 1 or device.type == "cpu":
        return
    count = torch.cuda.device_count()
    if ":" in asked:
        raise UsageError(f"--device {asked} names one GPU, and --processes {processes} takes one each.")
    if processes > count:
        raise UsageError(
            f"--processes {processes} takes a GPU each, and this machine has {count}. Take fewer, or "
            "--device cpu."
        )


def choose_engine(
    device: torch.device,
    precision: str,
    determinism: Determinism,
    processes: int = 1,
    threads: int | None = None,
) -> Engine:
    """The engine for a run that starts now on `device`, with `precision` as asked (`auto` or a name).

    Processes that train together on a CPU share its threads: `threads`, or else as many as torch takes.
    """
    native = has_native_bf16(device)
    resolved = ("bf16" if native else "fp32") if precision == "auto" else precision
    if resolved == "bf16" and not native:
        _log.warning(
            "%s has no native bf16: it is emulated and several times slower than fp32. Leave --precision out "
            "to let srbench choose.",
            device_name(device),
        )
    return Engine(
        device=device_name(device),
        precision=resolved,
        determinism=determinism,
        threads=max((threads or THREADS) // processes, 1),
        kernels=torch.backends.cpu.get_cpu_capability(),
        versions={
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": version("numpy"),
            "srbench": __version__,
        },
        processes=processes,
    )


def resumed_engine(stored: Mapping[str, Any], now: Engine) -> Engine:
    """The engine a run was started with, as far as it can be set again on the machine described by `now`."""
    names = ["precision", "determinism"]
    if stored.get("processes", 1) == now.processes:
        names.append("threads")
    kept = {name: stored[name] for name in names if name in stored}
    return replace(now, **kept)


def warn_of_changes(stored: Mapping[str, Any], engine: Engine, run_id: str) -> None:
    """Say what of the engine a run was started with is not to be had again, and what that costs."""
    before = {"processes": 1, **stored}
    changed = [
        f"{name} {old} → {new}" for name, new in engine.data().items() if (old := before.get(name)) != new
    ]
    if changed:
        _log.warning(
            "%s goes on with another engine than it began with (%s). Its result is as good, but no longer "
            "bit for bit that of an uninterrupted run.",
            run_id,
            "; ".join(changed),
        )


def apply_engine(engine: Engine) -> None:
    """Set the process up as the engine says: threads, algorithms, and fp32 that is fp32."""
    exact = engine.determinism == "exact"
    torch.set_num_threads(engine.threads)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(exact)
    # Filling fresh memory only helps to find reads before writes, and costs a pass over every activation.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = not exact
    # TF32 has 10 bits of mantissa: scores would depend on the card. bf16 is asked for by name where it pays.
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False


def device_name(device: torch.device) -> str:
    """`cpu`, or `cuda (NVIDIA H100)`: what tells two machines' results apart."""
    if device.type == "cuda":
        return f"cuda ({torch.cuda.get_device_name(device)})"
    return device.type


def autocast_dtype(engine: Engine) -> torch.dtype | None:
    """The dtype to compute the network in, or None for plain fp32."""
    return {"bf16": torch.bfloat16, "fp16": torch.float16}.get(engine.precision)


def has_native_bf16(device: torch.device) -> bool:
    """Whether it multiplies bf16 itself: where it does not, bf16 is emulated, and slower than fp32."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        # torch has no public question for this; these two are what its own dispatch asks.
        asked = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        return any(getattr(torch.cpu, name, lambda: False)() for name in asked)
    return False


def first_line(error: BaseException) -> str:
    """What an error says, shortened for a sentence of ours."""
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
