"""`srbench data`: public data sets by name: list, fetch, verify."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from srbench.errors import UsageError
from srbench.python.typed import typed_one

if TYPE_CHECKING:
    from collections.abc import Callable

    from srbench.data.verdict import Verdict
    from srbench.facts import DatasetFacts
    from srbench.pairs import Pairing
    from srbench.types import Dataset

app = typer.Typer(
    no_args_is_help=True,
    help="Public data sets by name: list, fetch and verify them.\n\nThey lie in the data folder, which "
    "SRBENCH_DATA names; without it, in a folder of yours that srbench data list shows. A set that is there "
    "needs no root=: --test set5.",
)

_FOLDER = "The data folder to use. Default: SRBENCH_DATA, else a folder of yours."
_Json = Annotated[bool, typer.Option("--json", help="One record a set, for scripts.")]


@app.command("list")
def list_sets(
    root: Annotated[Path | None, typer.Option("--root", metavar="DIR", help=_FOLDER)] = None,
    as_json: _Json = False,
) -> None:
    """List the known sets: pictures, size of the download, terms of use, where each is on this machine."""
    from srbench.data.place import is_complete, set_folder

    records: list[dict[str, Any]] = [
        {
            "name": name,
            "pictures": dict(facts.counts),
            "size_mb": facts.size_mb,
            "terms": facts.terms,
            "can_be_fetched": bool(facts.archives),
            "folder": str(set_folder(name, root)) if is_complete(name, facts, root) else None,
        }
        for name, facts in known_sets().items()
    ]
    if as_json:
        import json

        typer.echo(json.dumps(records, indent=1, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("set", "pictures", "download", "where", "terms", box=None, pad_edge=False)
    for record in records:
        counts = " + ".join(f"{count} {half}" for half, count in record["pictures"].items())
        size = f"{record['size_mb']:,} MB" if record["size_mb"] else "?"
        size = size if record["can_be_fetched"] else "by hand"
        table.add_row(record["name"], counts, size, record["folder"] or "not here", record["terms"])
    Console().print(table)
    typer.echo(
        f"Data folder: {set_folder('', root)}. srbench data fetch NAME gets a set there. The download is its "
        "archive, which may hold other sets of this list too.",
        err=True,
    )


@app.command()
def fetch(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME…", help="Sets to get; srbench data list has them.")
    ],
    root: Annotated[Path | None, typer.Option("--root", metavar="DIR", help=_FOLDER)] = None,
    mirror: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Address of a folder that has the same archives, to download from in place of the source. "
            "What arrives must still have the published checksum.",
        ),
    ] = None,
    archive: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="An archive on this machine, zip or tar, to unpack in place of a download; it is kept. "
            "Repeat it for a set of several archives, which are told apart by file name.",
        ),
    ] = None,
) -> None:
    """Download sets from their source, verify and unpack them into the data folder.

    Mind the terms of use that srbench data list shows. A download that fails or is stopped by Ctrl-C (exit
    code 75) goes on where it was when the same line is given again.

        srbench data fetch set5 set14
    """
    from srbench.data.fetch import Source, fetch_sets
    from srbench.progress import console
    from srbench.train.stop import Stop

    if mirror is not None and archive:
        raise UsageError("--mirror and --archive both say where archives come from. Give one of them.")
    known = known_sets()
    for name in names:
        typed_one("dataset", name)
        _known(name, known)
    with Stop().listening() as stop:
        fetch_sets(
            names, known, root, Source(mirror, tuple(archive or ())), stop.check,
            lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True),
        )  # fmt: skip


@app.command()
def verify(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The set, such as set5, or as for --test: set5:root=DIR.")
    ],
    root: Annotated[
        Path | None,
        typer.Option("--root", metavar="DIR", help="The folder of the set, or a data folder that has it."),
    ] = None,
    scale: Annotated[
        int | None,
        typer.Option(
            min=2,
            metavar="N",
            help="Of the LR pictures of a dataset that has its own (div2k:lr=unknown): "
            "every pair is looked at, where a run looks at a sample.",
        ),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Everything for scripts, with size, fingerprint and figure of each picture.",
        ),
    ] = False,
) -> None:
    """Compare a set with what is published of it, side by side, and name what is wrong with which picture.

    Bicubic is scored under the rules of each published figure. A figure more than 0.05 dB apart, a wrong
    count, size or picture is a fault, and its likely cause is named. Exit code 1 where there is one.

    With --scale, LR pictures that are files of their own are held against HR: missing, extra, of a wrong
    size, of another picture, out of place. Any dataset may be named then.
    """
    from srbench.data.place import set_folder
    from srbench.data.verify import verify as compare
    from srbench.datasets import build_unchecked
    from srbench.grammar import Term, parse_term
    from srbench.train.stop import Stop

    typed = parse_term(typed_one("dataset", name))
    known = known_sets()
    facts = _known(typed.name, known) if scale is None else known.get(typed.name)
    if root is not None:
        inside = set_folder(typed.name, root)
        where = inside if inside.is_dir() else root
        name = str(Term(typed.name, {**typed.parameters, "root": str(where)}))
    dataset = build_unchecked(name, scale).pictures
    verdict, pairing = None, None
    with Stop().listening() as stop:
        if facts is not None:
            verdict = compare(typed.name, facts, dataset, check=stop.check, quiet=context.obj["quiet"])
        if scale is not None:
            pairing = _pairing(name, dataset, scale, stop.check, quiet=context.obj["quiet"])
    if as_json:
        import json

        records: dict[str, Any] = verdict.data() if verdict else {}
        if pairing:
            records["pairs"] = {"faults": pairing.faults, "doubts": pairing.doubts}
        typer.echo(json.dumps(records, indent=1, ensure_ascii=False))
    else:
        if verdict:
            _print(verdict)
        if pairing:
            _print_pairing(name, pairing)
    is_sound = (verdict is None or verdict.is_verified) and (pairing is None or not pairing.faults)
    raise typer.Exit(0 if is_sound else 1)


def known_sets() -> "dict[str, DatasetFacts]":
    """Every dataset whose plugin gives facts, by the name a user has to type."""
    from srbench.registry import registry

    found: dict[str, Any] = {}
    for dataset in registry().all("dataset"):
        try:
            found[registry().typing(dataset)] = dataset.read_facts()
        except UsageError as error:
            typer.echo(str(error), err=True)
    return {name: facts for name, facts in found.items() if facts is not None}


def _known(name: str, known: "dict[str, DatasetFacts]") -> "DatasetFacts":
    from srbench.errors import did_you_mean

    if name not in known:
        raise UsageError(
            f"Nothing is published of a set {name!r}.{did_you_mean(name, known)} Known: {', '.join(known)}."
        )
    return known[name]


def _pairing(
    name: str, dataset: "Dataset", scale: int, check: "Callable[[], None]", *, quiet: bool
) -> "Pairing":
    from srbench.pairs import examine, pairs_of
    from srbench.progress import steps

    total = sum(len(pairs_of(half)) for half in (dataset.train, dataset.val, dataset.test))
    if not total:
        raise UsageError(
            f"{name} has no LR pictures of its own, so --scale has nothing to look at. Leave it out, or name "
            "them: folder:test=DIR,test_lr=DIR."
        )
    with steps(f"comparing LR and HR of {name}", total, check, quiet=quiet) as tick:
        return examine(dataset, scale, at_most=None, tick=tick)


def _print_pairing(name: str, pairing: "Pairing") -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for line in pairing.faults:
        console.print(Text(line, style="red"), soft_wrap=True)
    for line in pairing.doubts:
        console.print(Text(line), soft_wrap=True)
    end = "do NOT go together" if pairing.faults else "go together"
    console.print(
        Text(f"LR and HR pictures of {name} {end}: {pairing.looked_at} pairs compared."), soft_wrap=True
    )


def _print(verdict: "Verdict") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    table = Table(verdict.dataset, "published", "here", "difference", "", box=None, pad_edge=False)
    for column in table.columns[1:4]:
        column.justify = "right"
    for line in verdict.lines:
        cells = (line.what, line.published, line.here, line.difference, "" if line.fits else "off")
        table.add_row(*cells, style=None if line.fits else "red")
    console.print(table)
    for finding in verdict.findings:
        console.print(Text(str(finding), style="red" if finding.is_fault else ""), soft_wrap=True)
    end = "is the published set" if verdict.is_verified else "is NOT the published set: scores are unverified"
    console.print(Text(f"{verdict.dataset} {end}."), soft_wrap=True)
