"""Where the runs of a page come from: how each was asked for, of what it is made, and on what it ran."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from srbench.errors import StoreError
from srbench.grammar import Term
from srbench.report.paths import portable
from srbench.spec import ComponentSpec, LossSpec, RunSpec
from srbench.store.runs import StoredRun, current_status
from srbench.tables.protocols import used_protocols


@dataclass(frozen=True)
class Origin:
    """Where one run comes from.

    Args:
        run_id: of the run; `name`: what the page calls it.
        state: how far it is, in words.
        command: as it was typed, empty where that is not known; it may be of more runs than this one.
        alone: the same run by itself, empty where that cannot be said in one line.
        shortened: whether of paths in these two the last part alone is there.
        facts: what is worth a line each: times, hardware, versions.
        providers: component → distribution, version and the start of its hash.
        spec: the specification, as JSON.
    """

    run_id: str
    name: str
    state: str
    command: str
    alone: str
    shortened: bool
    facts: Mapping[str, str]
    providers: Mapping[str, str]
    spec: str


def origins_of(runs: Sequence[StoredRun], names: Mapping[str, str]) -> list[Origin]:
    """Of each run where it comes from; `names` has what the page calls it."""
    return [_origin(run, names[run.id]) for run in runs]


def _origin(run: StoredRun, name: str) -> Origin:
    record = run.record
    provenance = record.provenance
    lines = [[str(one) for one in provenance.get("command") or ()], alone(run)]
    typed, by_itself = ([portable(word) for word in words] for words in lines)
    providers = {**provenance.get("providers", {}), **(run.summary or {}).get("providers", {})}
    status = current_status(run)
    state = f"{status}, step {record.step:,} of {record.budget:,}" if record.budget else status
    if record.reason:
        state += f": {record.reason}"
    return Origin(
        run.id,
        name,
        state,
        shlex.join(typed),
        shlex.join(by_itself),
        [typed, by_itself] != lines,
        _facts(run),
        {what: _provider(one) for what, one in sorted(providers.items())},
        json.dumps(record.spec, indent=1, ensure_ascii=False, sort_keys=True),
    )


def _facts(run: StoredRun) -> dict[str, str]:
    engine, provenance = run.record.engine, run.record.provenance
    facts = {
        "begun": provenance.get("started"),
        "last saved": provenance.get("updated"),
        "trained on": portable(str(provenance.get("dataset") or "")),
        **{key: value for key, value in engine.items() if key != "versions"},
        "versions": ", ".join(f"{key} {value}" for key, value in engine.get("versions", {}).items()),
    }
    return {key: str(value) for key, value in facts.items() if value not in (None, "")}


def _provider(one: Mapping[str, Any]) -> str:
    parts = [str(one.get("dist", "")), str(one.get("version", ""))]
    if one.get("sha256"):
        parts.append(f"({str(one['sha256'])[:10]})")
    return " ".join(filter(None, parts))


def alone(run: StoredRun) -> list[str]:
    """The words of the `srbench run` line of that run and no other; none for what was not trained here.

    Every setting of its specification that can be typed is there, so that no recipe or default enters.
    """
    try:
        spec = RunSpec.from_stored(run.record.spec)
    except StoreError:
        return []
    if not spec.loss or spec.source or not spec.dataset or spec.origin:
        return []
    options: list[tuple[str, object]] = [
        ("model", _typed(spec.model)),
        ("loss", "+".join(_typed(term) for term in spec.loss)),
        ("dataset", run.record.provenance.get("dataset") or spec.dataset.name),
        ("channels", spec.channels),
        ("scale", spec.scale),
        ("degradation", _typed(spec.degradation)),
        ("seed", spec.seed),
        ("precision", spec.precision),
        ("optimizer", spec.optimizer and _typed(spec.optimizer)),
        ("lr", spec.learning_rate),
        ("schedule", spec.schedule and _typed(spec.schedule)),
        ("clip", spec.clip),
        ("ema", spec.ema or 0),
        ("batch", spec.batch),
        ("patch", spec.patch),
        ("steps", run.record.budget),
    ]
    words = [word for name, value in options if value is not None for word in (f"--{name}", str(value))]
    return ["srbench", "run", *words]


def _typed(one: ComponentSpec) -> str:
    given = {key: _value(value) for key, value in one.params.items() if value is not None}
    return str(Term(one.name, given, one.weight if isinstance(one, LossSpec) else 1.0))


def _value(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True)
class Protocol:
    """A protocol that scores of the page were made under."""

    hash: str
    metric: str
    plane: str
    settings: str
    runs: int


def protocols_of(runs: Sequence[StoredRun]) -> list[Protocol]:
    """All protocols behind the table, in the order of its columns."""
    return [
        Protocol(
            one.hash,
            one.column.metric,
            one.column.plane,
            " · ".join(
                f"{key} {value}" for key, value in one.settings.items() if key not in ("metric", "plane")
            ),
            len({run for ids in one.runs.values() for run in ids}),
        )
        for one in used_protocols(runs)
    ]
