"""Who gave each component of a run: recorded at its start, compared when it goes on."""

import inspect
import logging
from collections.abc import Iterator
from pathlib import Path

from srbench.components import Component, Kind
from srbench.errors import UsageError
from srbench.files import sha256_file
from srbench.registry import registry
from srbench.sources import behind, module_file
from srbench.spec import RunSpec
from srbench.store.runs import RunRecord
from srbench.types import Target

_log = logging.getLogger(__name__)


def provider(component: Component) -> dict[str, str]:
    """`dist` and `version` of what brings a component, and `sha256` of the file that defines it, if any."""
    file = source_file(component.target)
    found = {"dist": component.plugin.dist, "version": component.plugin.version}
    return found if file is None else {**found, "sha256": sha256_file(file)}


def providers(spec: RunSpec) -> dict[str, dict[str, str]]:
    """`"loss charbonnier"` → its provider, for every component that a run is made of."""
    return {label: provider(component) for label, component in _components(spec)}


def source_file(target: Target) -> Path | None:
    """The file that defines a component; its module is not imported. None: it is in no file."""
    if isinstance(target, str):
        return module_file(target.partition(":")[0])
    target = behind(target)
    name = _defined_in(target) or _defined_in(type(target))  # of an object that can be called: its class
    return Path(name) if name and Path(name).is_file() else None


def _defined_in(target: object) -> str | None:
    try:
        return inspect.getsourcefile(target)  # type: ignore[arg-type]
    except (TypeError, OSError):
        return None


def check_providers(record: RunRecord, run_id: str) -> None:
    """Refuse to go on with components of another distribution than a run was made with.

    Raises:
        UsageError: a component now comes from another distribution, so it may be another thing.
    """
    before = record.provenance.get("providers", {})
    for label, now in providers(RunSpec.from_stored(record.spec)).items():
        then = before.get(label, now)
        if then["dist"] != now["dist"]:
            raise UsageError(
                f"{run_id} was made with the {label} of {then['dist']} {then['version']}, and that name now "
                f"belongs to {now['dist']} {now['version']}. Install the former to go on, or name another "
                "store by --results to begin anew."
            )


def warn_of_versions(record: RunRecord, run_id: str) -> None:
    """Say in one sentence which components have another version or file than a run was made with."""
    before = record.provenance.get("providers", {})
    changes = []
    for label, component in _components(RunSpec.from_stored(record.spec)):
        now = provider(component)
        then = before.get(label, now)
        if then["version"] != now["version"]:
            changes.append(f"{label}: {now['dist']} {then['version']} then, {now['version']} now")
        # Runs made before files were hashed have none to compare.
        elif then.get("sha256", now.get("sha256")) != now.get("sha256"):
            changes.append(f"{label}: {source_file(component.target)} was another file then")
    if changes:
        _log.warning(
            "%s goes on with other components than it was made with (%s): the bits of an uninterrupted run "
            "are not promised.", run_id, "; ".join(changes),
        )  # fmt: skip


def _components(spec: RunSpec) -> Iterator[tuple[str, Component]]:
    used: list[tuple[Kind, str]] = [("degradation", spec.degradation.name)]
    if spec.source is None or spec.source.kind == "weights":
        used.append(("model", spec.model.name))
    used += [(term.kind, term.name) for term in spec.loss or ()]
    used += [("dataset", spec.dataset.name)] if spec.dataset else []
    for kind, name in used:
        yield f"{kind} {name}", registry().find(kind, name)
