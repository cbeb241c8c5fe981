"""`srbench prove-resume`: exact resume, proved on the machine and with the plugins that are here."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from srbench.cli import options
from srbench.errors import SrbenchError, StoppedError, UsageError


def prove_resume(
    context: typer.Context,
    kills: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=0,
            help="How many times the second run is killed. 0 tells whether the run repeats at all.",
        ),
    ] = 8,
    keep: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Leave both stores in this new or empty folder. Default: a temporary one, kept only where "
            "they differ.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One record, for scripts.")] = False,
    model: options.Model = None,
    loss: options.Loss = None,
    dataset: options.Dataset = None,
    channels: options.Channels = None,
    scale: options.Scale = None,
    seed: options.Seed = None,
    steps: Annotated[
        int, typer.Option(min=2, metavar="N", rich_help_panel="Budget", help="How far both runs train.")
    ] = 40,
    recipe: options.Recipe = "default",
    batch: options.Batch = 4,
    patch: options.Patch = 32,
    lr: options.Lr = None,
    optimizer: options.Optimizer = None,
    schedule: options.Schedule = None,
    clip: options.Clip = None,
    ema: options.Ema = None,
    precision: options.Precision = None,
    degradation: options.Degradation = None,
    device: options.Device = "auto",
    processes: options.Processes = 1,
) -> None:
    """Prove exact resume here: train a short run, train it again with kills, and compare every byte.

    The second run is ended by SIGKILL, as by a power cut: in start-up, training, validation and scoring, and
    while checkpoints are written. Weights, optimizer, history, scores and summary must have the same hashes.
    Exit code 0 where all are equal, 1 where not. Options are those of srbench run, for one run, with a small
    batch and patch by default, and lapsrn on sample unless --model and --dataset say otherwise.

        srbench prove-resume --model lapsrn --loss charbonnier --kills 8
    """
    from srbench.plan.terms import parse_seed
    from srbench.plugins import OWN
    from srbench.prove import prove
    from srbench.prove.show import to_json, to_text
    from srbench.train.stop import Stop

    the_seed = _single("seed", seed or [])
    parsed = parse_seed(the_seed or 0)
    moments = parsed if isinstance(parsed, int) else parsed.order
    arguments = _line(
        model=_one("model", model) or f"{OWN}/lapsrn", loss=_one("loss", loss),
        dataset=_one("dataset", dataset),
        channels=_single("channels", channels or []), scale=_one("scale", scale), seed=the_seed,
        recipe=recipe, batch=batch, patch=patch, lr=lr, optimizer=optimizer, schedule=schedule, clip=clip,
        ema=ema, precision=precision, degradation=degradation, device=device,
        processes=processes,
    )  # fmt: skip
    folder = _new_folder(keep)
    is_kept = keep is not None
    try:
        with Stop().listening() as stop:

            def check() -> None:
                if stop.reason is not None:
                    raise StoppedError(f"Stopped on {stop.reason}. The same command begins the proof anew.")

            proof = prove(
                arguments, steps, kills, folder, check,
                seed=moments, quiet=context.obj["quiet"],
            )  # fmt: skip
        is_kept = is_kept or not proof.is_equal
    finally:
        if not is_kept:
            shutil.rmtree(folder, ignore_errors=True)
    shown = to_json if as_json else to_text
    typer.echo(shown(proof, folder if is_kept else None), nl=False)
    if not proof.is_equal:
        raise typer.Exit(SrbenchError.exit_code)


def _line(**typed: object) -> list[str]:
    """What was typed, as arguments of `srbench run`."""
    return [
        part
        for name, value in typed.items()
        if value is not None
        for part in (f"--{name}", str(value))
    ]  # fmt: skip


def _one(name: str, typed: list[str] | None) -> str | None:
    """The one item of a comma list."""
    from srbench.grammar import split_list

    return _single(name, split_list(typed or []))


def _single(name: str, items: Sequence[str]) -> str | None:
    if len(items) > 1:
        raise UsageError(f"--{name} names {len(items)} runs, and srbench prove-resume takes one at a time.")
    return items[0] if items else None


def _new_folder(keep: Path | None) -> Path:
    if keep is None:
        return Path(tempfile.mkdtemp(prefix="srbench-prove-"))
    try:
        keep.mkdir(parents=True, exist_ok=True)
        if not any(keep.iterdir()):
            return keep
    except OSError as error:
        raise UsageError(f"--keep {keep} cannot be used ({error.strerror}). Name a new folder.") from error
    raise UsageError(f"--keep {keep} is not empty. Name a new folder.")
