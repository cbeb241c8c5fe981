"""Runs → short labels: names alone, with just those settings added in which alike runs differ."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from srbench.files import canonical_json
from srbench.spec import Seeds
from srbench.store.runs import StoredRun
from srbench.types import Channels

_Key: TypeAlias = tuple[str, ...]
"""What a setting is of: (field,), or (field, component, parameter)."""

_Place: TypeAlias = tuple["Labels", int, str]

_APART = ("schema", "channels", "scale", "degradation", "seed")
"""Fields of a spec that labels need not name: columns of their own, or rows that never stand together."""

_COMPONENTS = ("model", "loss", "dataset")
"""Fields whose differing settings stand with their name; those of all others go to `settings`."""


@dataclass(frozen=True)
class Labels:
    """What a row is called. None where the run has no such thing (bicubic: no loss, channels, seed)."""

    model: str
    loss: str | None
    channels: Channels | None
    dataset: str | None
    seed: int | str | None
    settings: str | None = None


def labels_of(runs: Sequence[StoredRun]) -> dict[str, Labels]:
    """Run id → labels, no two runs of one scale and degradation alike.

    A setting is named where runs that are otherwise alike differ in it (`charbonnier:eps=1e-06`,
    `lr=0.0001`), and then for every run that has it, so that a label means the same in every row.
    """
    alike: dict[_Place, list[dict[_Key, Any]]] = {}
    for run in runs:
        spec = run.record.spec
        alike.setdefault(_place(spec, _labels(run, set())), []).append(dict(_settings(spec)))
    named = {key for settings in alike.values() for key in _differing(settings)}
    labels: dict[str, Labels] = {}
    taken: set[_Place] = set()
    for run in runs:
        label = _labels(run, named)
        if _place(run.record.spec, label) in taken:  # differs past the digits shown: its hash tells it apart
            label = replace(label, settings=" ".join(filter(None, (label.settings, run.id.rsplit("-")[-1]))))
        taken.add(_place(run.record.spec, label))
        labels[run.id] = label
    return labels


def _place(spec: Mapping[str, Any], labels: Labels) -> _Place:
    """What two runs must share to need telling apart."""
    return (labels, spec["scale"], canonical_json(spec["degradation"]))


def value_text(value: Any) -> str:
    """A setting as it would be typed; hashes are cut to 8 digits."""
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return ",".join(f"{key}={value_text(one)}" for key, one in value.items())
    if isinstance(value, list | tuple):
        return "/".join(map(value_text, value))
    text = str(value)
    return text[:8] if len(text) == 64 and set(text) <= set("0123456789abcdef") else text


def _labels(run: StoredRun, named: set[_Key]) -> Labels:
    spec = run.record.spec
    loss = "+".join(
        ("" if term["weight"] == 1 else f"{term['weight']:g}*") + _component("loss", term, named)
        for term in spec["loss"] or ()
    )
    settings = [
        f"{'lr' if key[0] == 'learning_rate' else key[0]}={value_text(value)}"
        if len(key) == 1
        else f"{key[1]}:{key[2]}={value_text(value)}"
        for key, value in _settings(spec)
        if key in named and key[0] not in _COMPONENTS
    ]
    return Labels(
        model=run.name or _component("model", spec["model"], named),
        loss=loss or None,
        channels=spec["channels"],
        dataset=_component("dataset", spec["dataset"], named) if spec["dataset"] else None,
        seed=_seed(spec["seed"]),
        settings=" ".join(settings) or None,
    )


def _seed(seed: int | Mapping[str, int] | None) -> int | str | None:
    """`init=1,order=2` where a run has several."""
    return str(Seeds.model_validate(seed)) if isinstance(seed, Mapping) else seed


def _component(field: str, component: Mapping[str, Any], named: set[_Key]) -> str:
    name: str = component["name"]
    content = f"@{component['sha256'][:4]}" if (field, name, "sha256") in named else ""
    given = [
        f"{key}={value_text(value)}"
        for key, value in component["params"].items()
        if (field, name, key) in named
    ]
    return name + content + (f":{','.join(given)}" if given else "")


def _settings(spec: Mapping[str, Any]) -> Iterator[tuple[_Key, Any]]:
    """Everything in a spec that a label may have to name."""
    for field, value in spec.items():
        if field in _APART or (value is None and not spec["loss"]):
            continue
        if field in ("source", "origin"):  # `weights=1a2b3c4d`, `fork=1a2b3c4d`
            yield (value["kind"],), value["sha256"]
            continue
        for part in value if isinstance(value, list | tuple) else (value,):
            if isinstance(part, Mapping) and "name" in part:
                if field not in _COMPONENTS:
                    yield (field,), part["name"]
                others = {key: one for key, one in part.items() if key not in ("name", "params", "weight")}
                for key, one in {**part["params"], **others}.items():
                    yield (field, part["name"], key), one
            elif field not in _COMPONENTS:
                yield (field,), part


def _differing(runs: Sequence[Mapping[_Key, Any]]) -> set[_Key]:
    """The settings that are not the same in all of `runs`.

    A field that a spec leaves out is at its default, which counts; a parameter is only there where its
    component is, whose name differs already.
    """
    differing = set()
    for key in {key for run in runs for key in run}:
        values = {canonical_json(run.get(key)) for run in runs if key in run or len(key) == 1}
        if len(values) > 1:
            differing.add(key)
    return differing
