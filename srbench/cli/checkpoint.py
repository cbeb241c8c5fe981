"""`srbench checkpoint`: what a run has saved, whether it is sound, and its weights for other programs."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from srbench.cli.options import Results, Step
from srbench.errors import CheckpointError, NewerError, SrbenchError, StoreError, UsageError

if TYPE_CHECKING:
    from srbench.store.runs import StoredRun

app = typer.Typer(
    no_args_is_help=True, help="What runs have saved: list it, verify it, or take the weights out."
)

Runs = Annotated[
    list[str] | None,
    typer.Argument(metavar="[RUN…]", help="Run ids, or the beginnings of them. Default: all of the store."),
]
AsJson = Annotated[bool, typer.Option("--json", help="One flat list for scripts, a record a checkpoint.")]


@app.command("list")
def list_(
    runs: Runs = None,
    as_json: AsJson = False,
    results: Results = None,
) -> None:
    """List checkpoints: step, size, age, and which is the last and the best.

    Nothing is verified; srbench checkpoint verify does that.
    """
    from srbench.checkpoint.listing import stored

    found, damaged = _find(runs, results)
    records = []
    for run in found:
        for one in stored(run.paths.checkpoints):
            marks = [word for word, is_so in (("last", one.is_last), ("best", one.is_best)) if is_so]
            records.append(
                {
                    "run": run.id,
                    "step": one.step,
                    "size_bytes": one.size_bytes,
                    "age_s": round(max(time.time() - one.saved_at, 0)),
                    "last": one.is_last,
                    "best": one.is_best,
                    "shown": f"{one.step:>10,}  {size_text(one.size_bytes):>9}  {_age(one.saved_at):>11}  "
                    f"{' '.join(marks):<9}  {run.id}",
                }
            )
    _show(records, f"{'step':>10}  {'size':>9}  {'saved':>11}  {'':<9}  run", as_json=as_json)
    raise typer.Exit(1 if damaged else 0)


@app.command()
def verify(
    runs: Runs = None,
    as_json: AsJson = False,
    results: Results = None,
) -> None:
    """Read every checkpoint, hash every byte again, and say which are sound.

    Exit code 1 if any is not. A run goes on from its newest sound checkpoint, whatever lies beside it.
    """
    found, is_any_damaged = _find(runs, results)
    records = []
    for run in found:
        for step, fault in _verified(run):
            is_any_damaged |= fault is not None
            reason = None if fault is None else str(fault)
            what = "not read" if isinstance(fault, NewerError) else "damaged"
            said = "sound" if reason is None else f"{what}: {reason}"
            records.append(
                {
                    "run": run.id,
                    "step": step,
                    "sound": reason is None,
                    "reason": reason,
                    "shown": f"{step:>10,}  {run.id}  {said}",
                }
            )
    _show(records, None, as_json=as_json)
    raise typer.Exit(1 if is_any_damaged else 0)


@app.command()
def export(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Run id, or its beginning.")],
    step: Step = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Where to. Default: RUN-stepN.safetensors in the working directory.",
        ),
    ] = None,
    results: Results = None,
) -> None:
    """Write the weights that are scored as one safetensors file.

    Its metadata has the run's specification. A run trained with --ema gives the average. In plain PyTorch:

    \b
        from safetensors.torch import load_file
        from srbench_lapsrn.network import LapSRN
        weights = load_file("FILE")
        network = LapSRN(planes=1, scale=4, features=64, depth=10)
        network.load_state_dict({k[2:]: v for k, v in weights.items() if k.startswith("r.")})

    Names begin with the plane of their network: r. g. b. of three, y. or rgb. of one. srbench itself reads
    the file by srbench eval --weights FILE --model NAME.
    """
    from srbench.checkpoint.choose import chosen
    from srbench.checkpoint.export import write_export
    from srbench.spec import RunSpec
    from srbench.store.layout import default_results
    from srbench.store.runs import find_run

    found = find_run(results or default_results(), run)
    spec = RunSpec.from_stored(found.record.spec)
    checkpoint = chosen(found.paths.checkpoints, spec.sha256, found.id, step)
    path = output or Path(f"{found.id}-step{checkpoint.step}.safetensors")
    if path.is_dir():
        raise UsageError(f"{path} is a folder. Name a file: --output {path / (found.id + '.safetensors')}.")
    if path.exists() and not path.is_file():  # a file would take the place of the device
        raise UsageError(f"{path} is no regular file. Name one: --output {found.id}.safetensors.")
    write_export(path, checkpoint, found.id, spec.data())
    size = size_text(path.stat().st_size)
    typer.echo(f"{path}: weights of {found.id} at step {checkpoint.step:,}, {size}")


def _find(names: list[str] | None, results: Path | None) -> "tuple[list[StoredRun], bool]":
    """The runs asked for, and whether the store has one that cannot be read."""
    from srbench.cli.runs import read_store
    from srbench.store.layout import default_results
    from srbench.store.runs import find_run

    if names:
        root = results or default_results()
        return list({run.id: run for run in (find_run(root, one) for one in names)}.values()), False
    return read_store(results)


def _verified(run: "StoredRun") -> Iterator[tuple[int, SrbenchError | None]]:
    """Step and what is wrong (None: it is sound) of each checkpoint of a run."""
    from srbench.checkpoint.format import folders
    from srbench.checkpoint.read import read_checkpoint
    from srbench.spec import RunSpec

    try:
        spec_sha256 = RunSpec.from_stored(run.record.spec).sha256
    except StoreError as error:
        raise StoreError(f"{run.id}: {error}") from error
    found = folders(run.paths.checkpoints)
    if run.record.step > max((step for step, _ in found), default=0):
        yield run.record.step, CheckpointError("run.json knows of it, and it is gone")
    for step, folder in found:
        try:
            read_checkpoint(folder, spec_sha256)
        except SrbenchError as error:
            # A run that goes on meanwhile removes its older ones.
            if folder.exists() or folder.is_symlink():
                yield step, error
        else:
            yield step, None


def _show(records: list[dict[str, Any]], head: str | None, *, as_json: bool) -> None:
    """Lines for people, or the records without them."""
    lines = [record.pop("shown") for record in records]
    if as_json:
        import json

        typer.echo(json.dumps(records, indent=1, ensure_ascii=False))
        return
    if not lines:
        typer.echo("No checkpoint is stored there.", err=True)
        return
    for line in ([head] if head else []) + lines:
        typer.echo(line)


def size_text(size_bytes: int) -> str:
    """`3.1 MB`."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size_bytes >= size:
            return f"{size_bytes / size:.1f} {unit}"
    return f"{size_bytes} B"


def _age(saved_at: float) -> str:
    from datetime import UTC, datetime

    from srbench.cli.run_list import age

    return age(datetime.fromtimestamp(saved_at, UTC).isoformat())
