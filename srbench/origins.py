"""What `--init` and `--fork` name → jobs that begin there, or that go on where they began there before."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch

from srbench.checkpoint.choose import chosen
from srbench.checkpoint.format import folders
from srbench.errors import CheckpointError, SrbenchError, UsageError
from srbench.files import sha256_file
from srbench.foreign.weights import read_weights
from srbench.plan import Job, Request, Start, plan, with_baselines
from srbench.plan.terms import component_spec, parse_channels
from srbench.spec import Origin, RunSpec
from srbench.store.runs import StoredRun, find_run, list_runs
from srbench.train.state import build_networks, first_reasons, load_weights, weights


@dataclass(frozen=True)
class Begin:
    """What was typed: `--init FILE|RUN` or `--fork RUN`, a run with `@STEP` or `@best` where wanted."""

    kind: Literal["init", "fork"]
    text: str
    optimizer: Literal["keep", "reset"] | None = None


def jobs_from(request: Request, begin: Begin, root: Path) -> list[Job]:
    """As `plan`, for runs that begin from weights or from another run.

    The same line again goes on with the runs that it made before, whatever became of their beginning.

    Args:
        request: as typed; a fork takes what is not given from its parent.
        begin: where to begin.
        root: the store.

    Raises:
        UsageError: there is no such file or run, it has no such checkpoint, or settings do not go together.
        CheckpointError: the checkpoint is damaged.
    """
    children = [run for run in list_runs(root)[0] if _is_child(run, begin)]
    try:
        start, base, dataset = _start(request, begin, root)
        jobs = plan(_with(request, start.origin, base, dataset))
    except SrbenchError:
        known = _known(request, children)
        if known is None:
            raise
        return known
    return [_going_on(job, children, start) if job.spec.origin is not None else job for job in jobs]


def _is_child(run: StoredRun, begin: Begin) -> bool:
    """Whether the same line has made a run, and it can go on by itself."""
    if run.record.provenance.get("origin") != begin.text or not folders(run.paths.checkpoints):
        return False  # before its spec is read: that of another run may be damaged
    origin = RunSpec.from_stored(run.record.spec).origin
    return origin is not None and (origin.kind, origin.optimizer) == (begin.kind, begin.optimizer)


def _going_on(job: Job, children: Sequence[StoredRun], start: Start) -> Job:
    """The run that the same line made when its parent stood elsewhere; else the job, to begin now."""
    for child in children if start.origin.run is not None else ():
        spec = RunSpec.from_stored(child.record.spec)
        if spec == job.spec.model_copy(update={"origin": spec.origin}):
            return replace(job, spec=spec)
    _check_fit(job.spec, start)
    return replace(job, start=start)


def _check_fit(spec: RunSpec, start: Start) -> None:
    """Refuse weights of other networks before anything is written."""
    try:
        load_weights(build_networks(spec, torch.device("cpu")), start.model)
    except CheckpointError as error:
        raise UsageError(
            f"--{start.origin.kind} {start.text} does not fit this run's networks: "
            f"{first_reasons(error.__cause__)}. Its model, parameters, --channels or --scale may be other "
            "ones."
        ) from error


def _known(request: Request, children: Sequence[StoredRun]) -> list[Job] | None:
    """The runs of a line whose beginning is gone; None where they are not all there."""
    found: dict[str, Job] = {}
    number = 0
    for child in children:
        spec = RunSpec.from_stored(child.record.spec)
        base = spec if spec.origin is not None and spec.origin.kind == "fork" else None
        typed = str(child.record.provenance.get("dataset"))
        jobs = plan(_with(request, spec.origin, base, typed))
        number = len([job for job in jobs if job.spec.trained])
        found |= {job.spec.id: job for job in jobs if job.spec.id == child.id}
    return with_baselines(list(found.values())) if found and len(found) == number else None


def _with(request: Request, origin: Origin | None, base: RunSpec | None, dataset: str) -> Request:
    return replace(request, origin=origin, base=base, datasets=request.datasets or (dataset,))


def _start(request: Request, begin: Begin, root: Path) -> tuple[Start, RunSpec | None, str]:
    """What to begin with; of a fork its parent's spec too, and the dataset unless one is given."""
    if begin.kind == "init" and _is(Path.is_file, begin.text):
        return _from_file(request, begin), None, "sample"
    name, at, which = begin.text.partition("@")
    try:
        parent = find_run(root, name)
    except UsageError as error:
        if begin.kind == "init":
            what = "a folder, not a weights file" if _is(Path.is_dir, begin.text) else "no file"
            raise UsageError(f"--init {begin.text} is {what}, and no run: {error}") from error
        raise
    spec = RunSpec.from_stored(parent.record.spec)
    if not spec.trained:
        raise UsageError(
            f"{parent.id} was not trained by srbench, so --{begin.kind} has no checkpoint to begin from."
        )
    checkpoint = chosen(parent.paths.checkpoints, spec.sha256, parent.id, which if at else None)
    origin = Origin(
        kind=begin.kind,
        sha256=checkpoint.manifest_sha256,
        run=parent.id,
        step=checkpoint.step,
        optimizer=begin.optimizer,
    )
    if begin.kind == "init":
        return Start(origin, begin.text, checkpoint.model), None, "sample"
    if begin.optimizer == "keep":
        _check_optimizer(request, spec)
    start = Start(origin, begin.text, checkpoint.model, checkpoint.state, checkpoint.scalars, spec.losses)
    return start, spec, str(parent.record.provenance.get("dataset", "sample"))


def _is(what: Callable[[Path], bool], text: str) -> bool:
    try:
        return what(Path(text))
    except OSError:  # no name that a file can have
        return False


def _from_file(request: Request, begin: Begin) -> Start:
    if len(request.models) != 1 or len(request.channels) > 1 or len(request.scales) > 1:
        raise UsageError("--init FILE needs one --model, with at most one --channels and one --scale.")
    path = Path(begin.text)
    channels = parse_channels(request.channels[0]) if request.channels else None
    scale = request.scales[0] if request.scales else None
    read = read_weights(path, component_spec("model", request.models[0]), scale, channels)
    return Start(Origin(kind="init", sha256=sha256_file(path)), begin.text, weights(read.networks))


def _check_optimizer(request: Request, parent: RunSpec) -> None:
    typed, before = request.settings.get("optimizer"), parent.optimizer
    if typed is not None and before is not None and typed.partition(":")[0] != before.name:
        raise UsageError(
            f"--optimizer {typed} cannot go on from the moments of {before.name}. Add --fork-optimizer reset."
        )
