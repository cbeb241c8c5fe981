"""`srbench verdict RUN`: is it over-smoothed, where, how surely, and what may help."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from srbench.cli.options import Device, Results


def verdict(
    context: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run id, or the beginning of one.")],
    test: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,…",
            help="Only these test sets, by the names they were scored under. With --map, datasets as typed "
            "for srbench eval (set5:root=DIR); default: the test half of the dataset the run was trained on.",
        ),
    ] = None,
    map: Annotated[
        Path | None,
        typer.Option(
            "--map",
            metavar="DIR",
            help="Also write where detail was lost: for each picture, scale and plane a PNG with HR in grey, "
            "red where detail is lost and green where it is there, and the numbers as .npz.",
        ),
    ] = None,
    format: Annotated[
        Literal["rich", "json"],
        typer.Option("--format", help="rich is for reading here; json is for scripts and has every picture."),
    ] = "rich",
    device: Device = "auto",
    results: Results = None,
) -> None:
    """Say whether a run is over-smoothed: what is lost, in which plane, how surely, and what may help.

    Read from the stored scores of detail, presence and slope. A verdict is given where the interval over
    pictures lies on one side of the threshold; docs/over-smoothing.md says what it means and cannot see.

        srbench verdict lapsrn-charbonnier --map maps
    """
    from rich.console import Console

    from srbench.cli.runs import read_store
    from srbench.grammar import parse_term, split_list
    from srbench.store.layout import default_results
    from srbench.store.runs import find_run
    from srbench.verdict import tell
    from srbench.verdict.show import to_json, to_terminal

    found = find_run(results or default_results(), run)
    everything, _ = read_store(results)
    typed = split_list(test) if test else None
    story = tell(found, everything, [parse_term(one).name for one in typed] if typed else None)
    if format == "json":
        typer.echo(to_json(story), nl=False)
    else:
        Console(highlight=False).print(to_terminal(story))
    if map is None:
        return

    from srbench.datasets import scored_sets
    from srbench.executors.local import typed_dataset
    from srbench.python.typed import typed_list
    from srbench.train.device import apply_engine, choose_engine, pick_device
    from srbench.train.stop import Stop
    from srbench.verdict.maps import write_maps

    where = pick_device(device)
    apply_engine(choose_engine(where, "fp32", "exact"))
    with Stop().listening() as stop:
        asked = typed_list("dataset", test) or [typed_dataset(found)]
        for pictures in scored_sets(asked, found.record.spec["scale"]):
            count = write_maps(found, pictures, map, where, stop.check, quiet=context.obj["quiet"])
            typer.echo(f"{count} maps of {pictures.name} are in {map / pictures.name}.", err=True)
