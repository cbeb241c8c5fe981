"""What a model costs: parameters, multiply-adds, and time and memory on the device at hand."""

import copy
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn
from torch.utils.benchmark import Timer
from torch.utils.flop_counter import FlopCounterMode

from srbench.errors import SrbenchError, StoppedError
from srbench.evaluate.upscalers import network_upscaler_of
from srbench.files import canonical_json
from srbench.memory import peak_bytes
from srbench.predict import Networks, NetworkUpscaler, predict
from srbench.progress import steps
from srbench.spec import RunSpec
from srbench.store.cost import Cost, DeviceCost, read_cost, write_cost
from srbench.store.runs import StoredRun
from srbench.train.device import device_name

OUTPUT = (720, 1280)
"""Height and width of the SR picture that multiply-adds are counted for."""

SIDE = 256
"""Of the LR picture that time and memory are measured with."""

_log = logging.getLogger(__name__)


def measure_missing(
    runs: Sequence[StoredRun],
    device: torch.device,
    check: Callable[[], None] = lambda: None,
    *,
    quiet: bool = False,
) -> None:
    """Measure the models of `runs` that were not measured on `device` yet, each once, and store it.

    Runs that differ in training alone share one measurement. Folders of pictures have no cost.

    Args:
        runs: from the store.
        device: where.
        check: called between passes of networks; raises to stop.
        quiet: no progress bar.

    Raises:
        StoppedError: by `check`; models that are measured are stored.
    """
    name = cost_device(device)
    alike: dict[str, list[StoredRun]] = {}
    for run in runs:
        spec = run.record.spec
        if (spec.get("source") or {}).get("kind") != "pictures":
            parts = {key: spec.get(key) for key in ("model", "channels", "scale", "source")}
            alike.setdefault(canonical_json(parts), []).append(run)
    costs = {run.id: read_cost(run.paths) for group in alike.values() for run in group}
    waiting = [
        group
        for group in alike.values()
        if not all((cost := costs[run.id]) and name in cost.devices for run in group)
    ]
    if not waiting:
        return
    with steps(f"measuring the cost on {name}", len(waiting), check, quiet=quiet) as tick:
        for group in waiting:
            known = next((cost for run in group if (cost := costs[run.id]) and name in cost.devices), None)
            try:
                measured = known or _measure_run(group[0], device, check)
                for run in group:
                    before = costs[run.id]
                    devices = {**(before.devices if before else {}), name: measured.devices[name]}
                    write_cost(run.paths, Cost(measured.parameters, measured.macs, devices))
            except StoppedError:
                raise
            except (SrbenchError, torch.OutOfMemoryError) as error:
                _log.warning("The cost of %s cannot be measured: %s", group[0].id, error)
            tick()


def _measure_run(run: StoredRun, device: torch.device, check: Callable[[], None]) -> Cost:
    """The cost of a run's model; of its own networks only the shape matters, so they stay untrained."""
    from srbench.train.state import build_networks

    spec = RunSpec.from_stored(run.record.spec)
    if spec.source is not None:
        return measure(network_upscaler_of(spec, run.paths, device)[1], check)
    from srbench.registry import registry

    model = registry().find("model", spec.model.name)
    networks = build_networks(spec, device)
    return measure(
        NetworkUpscaler(
            networks,
            spec.network_channels,
            spec.scale,
            model.padded_to(spec.model.params),
            model.sees_tiles(spec.model.params),
            device,
            called=model.title,
        ),
        check,
    )


def measure(upscaler: NetworkUpscaler, check: Callable[[], None] = lambda: None) -> Cost:
    """All costs of a model, the last two on the device where its networks are, in fp32.

    Multiply-adds are half of what torch's counter says of convolutions, matrix products and attention, as
    they are computed, for the LR picture of 1280×720 (sides divided by the scale and rounded up). Latency is
    the median of torch's benchmark timer for one 256×256 LR picture, put together to RGB, after one that
    warms up. See `DeviceCost` for the memory. `check` is called before each pass of a network; it raises to
    stop. A network with a method `deployed` is measured as that returns it.
    """
    upscaler = replace(upscaler, networks={plane: _deployed(one) for plane, one in upscaler.networks.items()})
    device = upscaler.device
    lr = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)).to(device)

    def once() -> object:
        return predict(
            upscaler.networks, upscaler.channels, lr, upscaler.run_scale, upscaler.size_multiple, check=check
        )

    once()
    timer = Timer("once()", globals={"once": once}, num_threads=torch.get_num_threads())
    latency = timer.blocked_autorange(min_run_time=0.5).median
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        once()
        memory = torch.cuda.max_memory_allocated(device)
    else:
        memory = peak_bytes(once) + _size_bytes(upscaler.networks) + lr.nbytes
    return Cost(
        parameters=sum(one.numel() for one in _distinct(upscaler.networks)),
        macs=_macs(upscaler),
        devices={cost_device(device): DeviceCost(latency, memory)},
    )


def cost_device(device: torch.device) -> str:
    """`cuda (NVIDIA H100)`, or `cpu (its name, 8 threads)`: what tells two measurements apart."""
    if device.type != "cpu":
        return device_name(device)
    return f"cpu ({_processor()}, {torch.get_num_threads()} threads)"


def _macs(upscaler: NetworkUpscaler) -> int:
    height, width = (math.ceil(side / upscaler.run_scale) for side in OUTPUT)

    def count(networks: Networks, device: torch.device) -> int:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            lr = torch.zeros(1, 3, height, width, device=device)
            predict(networks, upscaler.channels, lr, upscaler.run_scale, upscaler.size_multiple)
        return int(counter.get_total_flops()) // 2

    meta = torch.device("meta")
    try:  # shapes alone say how much it is, so nothing need be computed
        return count({plane: copy.deepcopy(one).to(meta) for plane, one in upscaler.networks.items()}, meta)
    except Exception:  # a network that looks at its values, or brings tensors of its own
        return count(dict(upscaler.networks), upscaler.device)


def _deployed(network: nn.Module) -> nn.Module:
    """A network as it is used, where it has parts for training alone."""
    deployed = getattr(network, "deployed", None)
    return network if deployed is None else deployed()


def _distinct(networks: Networks) -> list[nn.Parameter]:
    """The parameters of all networks, those that several share once."""
    return list({id(one): one for network in networks.values() for one in network.parameters()}.values())


def _size_bytes(networks: Networks) -> int:
    buffers = {id(one): one for network in networks.values() for one in network.buffers()}
    return sum(one.nbytes for one in [*_distinct(networks), *buffers.values()])


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        import platform

        return platform.processor() or platform.machine()
