"""`srbench suite`: what suite files may hold, and whether one is sound."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Suite files: the JSON schema for editors, and a check.")


@app.command()
def schema() -> None:
    """Print the JSON schema of suite files, with which editors complete and explain keys.

    srbench suite schema > srbench-suite.json
    """
    import json

    from srbench.suite.form import json_schema

    typer.echo(json.dumps(json_schema(), indent=1, ensure_ascii=False))


@app.command()
def check(files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Suite files.")]) -> None:
    """Check suite files: every mistake at its line, with what is expected, all in one go.

    A dataset or weights that are not on this machine are said, and are no mistake of the file.
    """
    from srbench.errors import UsageError
    from srbench.suite.read import SuiteError, lines_of, read_suite

    wrong = False
    for file in files:
        try:
            suite = read_suite(file)
        except SuiteError as error:
            typer.echo(str(error), err=True)
            wrong = True
            continue
        count = len(suite.matrix.combinations())
        typer.echo(f"{file} is sound: {count} {'run' if count == 1 else 'runs'}.")
        for line in lines_of(file, suite.absent):
            typer.echo(f"Not here: {line}", err=True)
    if wrong:
        raise typer.Exit(UsageError.exit_code)
