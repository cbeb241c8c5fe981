"""Which distribution gave each component of a run: recorded at its start, checked when it goes on."""

import logging

from srbench.components import Kind
from srbench.errors import UsageError
from srbench.registry import registry
from srbench.spec import RunSpec
from srbench.store.runs import RunRecord

_log = logging.getLogger(__name__)


def providers(spec: RunSpec) -> dict[str, dict[str, str]]:
    """`"loss charbonnier"` → distribution and version, for every component of a run."""
    used: list[tuple[Kind, str]] = [("degradation", spec.degradation.name)]
    if spec.source is None or spec.source.kind == "weights":
        used.append(("model", spec.model.name))
    used += [(term.kind, term.name) for term in spec.loss or ()]
    used += [("dataset", spec.dataset.name)] if spec.dataset else []
    plugins = {f"{kind} {name}": registry().find(kind, name).plugin for kind, name in used}
    return {label: {"dist": plugin.dist, "version": plugin.version} for label, plugin in plugins.items()}


def check_providers(record: RunRecord, run_id: str) -> None:
    """Compare what a run was made with and what is installed now; another version is warned of.

    Raises:
        UsageError: a component now comes from another distribution, so it may be another thing.
    """
    spec = RunSpec.from_stored(record.spec)
    before = record.provenance.get("providers", {})
    for label, now in providers(spec).items():
        then = before.get(label, now)
        if then["dist"] != now["dist"]:
            raise UsageError(
                f"{run_id} was made with the {label} of {then['dist']} {then['version']}, and that name now "
                f"belongs to {now['dist']} {now['version']}. Install the former to go on, or name another "
                "store by --results to begin anew."
            )
        if then["version"] != now["version"]:
            _log.warning(
                "%s was made with %s %s for its %s; %s is installed now. The result may differ from that of "
                "an uninterrupted run.",
                run_id, then["dist"], then["version"], label, now["version"],
            )  # fmt: skip
