"""Runs → what they are called side by side: by what tells them apart alone, as tables have it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from srbench.store.runs import StoredRun
from srbench.tables.labels import Labels, labels_of, value_text
from srbench.types import BASELINE, CHANNELS

_FIELDS = ("model", "loss", "channels", "dataset", "seed", "settings", "scale", "degradation")


@dataclass(frozen=True)
class Names:
    """What runs are called.

    Args:
        of: run id → `lapsrn l1 seed 1`: what not all runs share. No two are alike.
        common: what all of them have in common: `channels` → `channels r,g,b`, `scale` → `scale ×4`.
    """

    of: Mapping[str, str]
    common: Mapping[str, str]

    @property
    def shared(self) -> str:
        """`channels r,g,b · scale ×4 · LR bicubic:round=true`."""
        return " · ".join(self.common.values())


def names_of(runs: Sequence[StoredRun]) -> Names:
    """The names of runs that stand in one picture, by the labels of tables.

    The model is always named. What every run has alike is left out of the names; what some runs have not at
    all, such as bicubic a loss, counts as alike where all others agree.
    """
    labels = labels_of(runs)
    columns = {run.id: _columns(run, labels[run.id]) for run in runs}
    distinct = {name: dict.fromkeys(one[name] for one in columns.values() if one[name]) for name in _FIELDS}
    apart = [name for name in _FIELDS if name == "model" or len(distinct[name]) > 1]
    prefix = {"settings": "", "degradation": "LR "}
    common = {
        name: prefix.get(name, f"{name} ") + text
        for name in _FIELDS
        if name not in apart
        for text in distinct[name]
    }
    of = {
        run_id: " ".join(filter(None, (_told(name, one[name]) for name in apart)))
        for run_id, one in columns.items()
    }
    return Names(of, common)


def in_order(runs: Sequence[StoredRun]) -> list[StoredRun]:
    """Runs as tables order them: bicubic first, then by label."""
    labels = labels_of(runs)

    def key(run: StoredRun) -> tuple[Any, ...]:
        one = labels[run.id]
        channels = CHANNELS.index(one.channels) if one.channels else -1
        seed = one.seed if isinstance(one.seed, int) else -1
        named = (
            one.model,
            one.loss or "",
            channels,
            one.dataset or "",
            seed,
            str(one.seed),
            one.settings or "",
        )
        return (not is_baseline(run), -run.record.spec["scale"], *named, run.id)

    return sorted(runs, key=key)


def is_baseline(run: StoredRun) -> bool:
    """Whether a run is bicubic."""
    return bool(run.record.spec["model"]["name"] == BASELINE)


def degradation_text(degradation: Mapping[str, Any]) -> str:
    """`bicubic:round=true`, of what a spec holds."""
    params = value_text(degradation["params"])
    return str(degradation["name"]) + (f":{params}" if params else "")


def _columns(run: StoredRun, labels: Labels) -> dict[str, str]:
    spec = run.record.spec
    texts = {name: getattr(labels, name) for name in _FIELDS[:-2]}
    return {
        **{name: "" if value is None else str(value) for name, value in texts.items()},
        "scale": f"×{spec['scale']}",
        "degradation": degradation_text(spec["degradation"]),
    }


def _told(name: str, text: str) -> str:
    """A bare number says what it is."""
    return f"{name} {text}" if name == "seed" and text else text
