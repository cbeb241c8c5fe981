"""What this machine can do for srbench, what each lack costs, and how to mend it."""

import os
import platform
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal, get_args

import psutil
from filelock import Timeout

from srbench import __version__
from srbench.data.place import SETTING, data_dir
from srbench.files import only_one, sync_file
from srbench.images.download import cache_dir, is_offline

State = Literal["ok", "lack", "broken"]
"""`lack`: something is slower or missing; `broken`: srbench cannot work."""

_PACKAGES = ("torch", "torchvision", "lightning-fabric", "numpy", "pyarrow", "pluggy", "lpips")

_LITTLE_MEMORY, _LITTLE_SPACE = 4e9, 5e9
_SLOW_BYTES_A_S, _SLOW_SYNC_S = 20e6, 0.25
_SAMPLE_BYTES = 16_000_000


@dataclass(frozen=True)
class Finding:
    """One thing looked at.

    Args:
        area: what it belongs to, such as `store`.
        state: see `State`.
        found: what is there.
        cost: what a lack costs; empty where nothing lacks.
        mend: what to do about it; empty where nothing lacks, or nothing can be done.
    """

    area: str
    state: State
    found: str
    cost: str = ""
    mend: str = ""


def examine(results: Path) -> Iterator[Finding]:
    """Everything, in the order to read; measuring the store's disk takes a second or so.

    Args:
        results: the store, which need not be there yet.
    """
    yield from _versions()
    yield from _compute()
    yield _memory()
    yield from _store(results)
    yield from _folders()
    yield from _weights()
    yield from _plugins()


def _versions() -> Iterator[Finding]:
    found = []
    for name in _PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            yield Finding(
                "versions", "broken", f"{name} is not installed",
                "srbench cannot train or score.", "Install srbench again: pip install srbench-harness.",
            )  # fmt: skip
    system = f"{platform.system()} {platform.machine()}"
    said = f"srbench {__version__}, Python {platform.python_version()} on {system}, {', '.join(found)}"
    yield Finding("versions", "ok", said)


def _compute() -> Iterator[Finding]:
    try:
        import torch

        from srbench.train.device import has_native_bf16
    except (ImportError, OSError) as error:
        yield Finding(
            "torch", "broken", f"torch cannot be imported ({error})", "srbench cannot train or score.",
            "Install torch again for this system, as pytorch.org says.",
        )  # fmt: skip
        return
    for number in range(torch.cuda.device_count()):
        about = torch.cuda.get_device_properties(number)
        native = has_native_bf16(torch.device("cuda", number))
        said = f"cuda:{number} is {about.name}, {_size(about.total_memory)}, {_bf16(native)}"
        yield _precision("GPU", said, native)
    if not torch.cuda.device_count():
        built = torch.version.cuda is not None
        yield Finding(
            "GPU", "lack", "none that torch sees",
            "Training takes the CPU, which is tens of times slower; everything else is as good.",
            "Where there is an NVIDIA GPU, see whether nvidia-smi finds it and install its driver."
            if built else "This torch is built without CUDA. Where there is an NVIDIA GPU, install one with "
            "it, as pytorch.org says.",
        )  # fmt: skip
    native = has_native_bf16(torch.device("cpu"))
    cores, threads = os.cpu_count() or 1, torch.get_num_threads()
    physical = psutil.cpu_count(logical=False) or cores
    kernels = torch.backends.cpu.get_cpu_capability()
    said = f"{cores} cores ({physical} physical), torch takes {threads}, {kernels}, {_bf16(native)}"
    yield _precision("CPU", said, native)
    if threads < min(physical, _usable_cores()):
        yield Finding(
            "CPU", "lack", f"torch takes {threads} of {physical} cores",
            "What runs on the CPU is slower than it could be.",
            "Unset OMP_NUM_THREADS, unless several runs share this machine.",
        )  # fmt: skip


def _precision(area: str, said: str, native: bool) -> Finding:
    if native:
        return Finding(area, "ok", said)
    return Finding(
        area, "lack", said,
        "--precision auto trains in fp32 there; bf16 would be emulated, several times slower.",
        "Nothing to mend: GPUs from Ampere on have it, and CPUs with AMX or AVX512-BF16.",
    )  # fmt: skip


def _bf16(native: bool) -> str:
    return "native bf16" if native else "no native bf16"


def _usable_cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


def _memory() -> Finding:
    memory = psutil.virtual_memory()
    said = f"{_size(memory.available)} of {_size(memory.total)} are free"
    if memory.available >= _LITTLE_MEMORY:
        return Finding("memory", "ok", said)
    return Finding(
        "memory", "lack", said, "Large pictures are scored in tiles, and large batches may not fit.",
        "End what else needs memory, or give --tile and a smaller --batch.",
    )  # fmt: skip


def _store(results: Path) -> Iterator[Finding]:
    there = next(one for one in (results, *results.resolve().parents) if one.is_dir())
    said = str(results.resolve()) if results.is_dir() else f"{results.resolve()}, not made yet"
    free = shutil.disk_usage(there).free
    try:
        with tempfile.TemporaryDirectory(prefix=".srbench-doctor-", dir=there) as folder:
            speed, sync_s = _speed(Path(folder))
            locks = _locks(Path(folder))
    except OSError as error:
        yield Finding(
            "store", "broken", f"{said}: it cannot be written ({error.strerror or error})",
            "Nothing can be trained or scored into it; srbench table and runs read it all the same.",
            "Correct its permissions or make room, or name another by SRBENCH_RESULTS or --results DIR.",
        )  # fmt: skip
        return
    if free < _LITTLE_SPACE:
        yield Finding(
            "store", "lack", f"{said}: {_size(free)} are free", "A run whose checkpoint does not fit stops.",
            "Make room: srbench gc drops checkpoints that nothing needs.",
        )  # fmt: skip
    else:
        yield Finding("store", "ok", f"{said}: {_size(free)} are free")
    said = f"writes {_size(speed)} a second, and takes {sync_s * 1e3:.0f} ms to make a small file durable"
    if speed < _SLOW_BYTES_A_S or sync_s > _SLOW_SYNC_S:
        yield Finding(
            "disk", "lack", said, "Saving takes longer; it goes on beside training, and delays stops.",
            "Save less often (--save-every 300), or keep the store on a disk of this machine.",
        )  # fmt: skip
    else:
        yield Finding("disk", "ok", said)
    yield locks


def _speed(folder: Path) -> tuple[float, float]:
    """Bytes a second of one large file, and the median seconds of a small one, each down to the disk."""
    content = os.urandom(_SAMPLE_BYTES)
    large = _seconds_to_write(folder / "large", content)
    small = statistics.median(_seconds_to_write(folder / "small", content[:4096]) for _ in range(5))
    return _SAMPLE_BYTES / large, small


def _seconds_to_write(path: Path, content: bytes) -> float:
    began = time.perf_counter()
    with path.open("wb") as file:
        file.write(content)
        sync_file(file)
    return time.perf_counter() - began


def _locks(folder: Path) -> Finding:
    """Whether a lock that is held is refused to a second one."""
    path = folder / "lock"
    with only_one(path):
        try:
            with only_one(path):
                pass
        except Timeout:
            return Finding("locks", "ok", "a file that is locked there is refused to others")
    return Finding(
        "locks", "lack", "a lock there keeps nobody out",
        "Processes are kept apart by the notes that they leave beside a run, which takes longer to notice.",
        "Do not work on one run from two places, or keep the store on a disk of this machine.",
    )  # fmt: skip


def _folders() -> Iterator[Finding]:
    for area, folder, mend in (
        ("cache", cache_dir(), "Correct its permissions, or name another folder by SRBENCH_CACHE."),
        ("data", data_dir(), f"Correct its permissions, or name another folder by {SETTING}."),
    ):
        there = next(one for one in (folder, *folder.resolve().parents) if one.is_dir())
        said = str(folder) if folder.is_dir() else f"{folder}, not made yet"
        if os.access(there, os.W_OK):
            yield Finding(area, "ok", said)
        else:
            yield Finding(
                area, "lack", f"{said}: it cannot be written", "What is downloaded is not kept there.", mend
            )  # fmt: skip
    if is_offline():
        yield Finding(
            "network", "lack", "SRBENCH_OFFLINE forbids every download",
            "Public sets and weights that are not on this machine cannot be had.", "Unset it.",
        )  # fmt: skip
    else:
        yield Finding("network", "ok", "downloads are allowed; none was tried")


def _weights() -> Iterator[Finding]:
    try:
        from srbench.metrics.backbones import BACKBONES, AnyNet, stored_file
    except (ImportError, OSError):  # torch, which is told of already
        return
    for net in get_args(AnyNet):
        path, backbone = stored_file(net), BACKBONES[net]
        use = "the loss vgg" if net == "vgg19" else f"lpips:net={net}"
        if path is not None:
            yield Finding("weights", "ok", f"{path} for {use}; srbench run verifies it")
            continue
        without = "the loss is refused" if net == "vgg19" else "its column is left empty"
        yield Finding(
            "weights", "lack", f"none for {use}",
            f"While SRBENCH_OFFLINE forbids downloads, {without}." if is_offline()
            else f"The first use downloads {_size(backbone.size_bytes)}; where that fails, {without}.",
            f"Copy {backbone.file} into {cache_dir() / 'lpips'}, or name its folder by "
            "SRBENCH_LPIPS_WEIGHTS.",
        )  # fmt: skip


def _plugins() -> Iterator[Finding]:
    from srbench.registry import registry

    rows = registry().rows()
    wrong = [row for row in rows if row.state != "ok"]
    dists = sorted({row.dist for row in rows if row.state == "ok"})
    yield Finding("plugins", "ok", f"{len(rows) - len(wrong)} components of {', '.join(dists)}")
    for row in wrong:
        yield Finding(
            "plugins", "lack", f"{row.kind} {row.name} of {row.dist} {row.version}: {row.state}",
            "Only its own names cannot be used.",
            "Install what it lacks, mend it, or leave it out by --no-plugin.",
        )  # fmt: skip


def _size(size_bytes: float) -> str:
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.0f} MB"
