"""cost.json: what a model costs, measured once; what depends on a device stands under the device's name."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from srbench.errors import StoreError
from srbench.files import parse_json, read_regular, write_json
from srbench.store.layout import SCHEMA, RunPaths, refuse_newer


@dataclass(frozen=True)
class DeviceCost:
    """What one 256×256 LR picture takes on one device.

    Args:
        latency_s: median seconds.
        peak_memory_bytes: on a GPU, the most its allocator gave out; elsewhere, the most that live tensors
            took, weights included.
    """

    latency_s: float
    peak_memory_bytes: int


@dataclass(frozen=True)
class Cost:
    """What a run's model costs.

    Args:
        parameters: of all its networks.
        macs: multiply-adds for one picture of 1280×720 at its scale.
        devices: device name → what it takes there.
    """

    parameters: int
    macs: int
    devices: Mapping[str, DeviceCost] = field(default_factory=dict)


def write_cost(paths: RunPaths, cost: Cost) -> None:
    """Store `cost` as cost.json.

    Raises:
        StoreError: it cannot be written.
    """
    write_json(paths.cost, {"schema": SCHEMA, **asdict(cost)})


def read_cost(paths: RunPaths) -> Cost | None:
    """What cost.json holds, or None where nothing was measured yet.

    Raises:
        StoreError: the file is damaged, or was written by a newer srbench.
    """
    try:
        stored = parse_json(read_regular(paths.cost))
        refuse_newer(paths.cost, stored["schema"])
        devices = {name: DeviceCost(**one) for name, one in stored["devices"].items()}
        return Cost(stored["parameters"], stored["macs"], devices)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(
            f"{paths.cost} cannot be read ({error}). Remove it; srbench table --cost measures it anew."
        ) from error
