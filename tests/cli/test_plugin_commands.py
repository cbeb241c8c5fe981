"""Commands that plugins add: shown with their distribution, imported when called, and how they end."""

import subprocess
import sys

import pytest
from installed import environment_with, install, say

PLUGIN = """
from srbench.api import hookimpl


@hookimpl
def register_commands(register):
    for name in ("greet", "tree", "wrong", "burst", "ghost", "number", "odd", "shared"):
        register(name, f"acts:{name}", help=f"Do {name} [not markup]")
    register("run", "acts:greet", help="Another run.")
    register("silent", "acts:greet")
"""

ACTS = """
import typer
from srbench.api import UsageError

print("ACTS IS IMPORTED")
tree = typer.Typer(help="A tree.")
number = 3


@tree.command()
def leaf(size: int = 2) -> None:
    print("leaf", size)


@tree.command()
def root() -> None:
    print("root")


def greet(name: str = "you", loud: bool = False) -> None:
    print(f"hello {name}{'!' * loud}")


def wrong() -> None:
    raise UsageError("There is nothing to do.")


def burst() -> None:
    raise KeyError("lost")


def odd(what: int | str) -> None:
    pass


def shared() -> None:
    print("the first's")
"""

OTHER = """
from srbench.api import hookimpl


@hookimpl
def register_commands(register):
    register("shared", lambda: print("the second's"), help="Do the same.")
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    path = tmp_path_factory.mktemp("packages")
    install(path, "first-dist", {"first_commands": PLUGIN, "acts": ACTS}, "first = first_commands")
    install(path, "second-dist", {"second_commands": OTHER})
    lines = [
        "--help", "greet --name me --loud", "greet --nmae me", "greet -h", "tree leaf --size 5",
        "wrong", "burst", "ghost", "number", "odd x", "shared", "first-dist/shared", "second-dist/shared",
        "gret", "plugins",
    ]  # fmt: skip
    found = say(path, [line.split() for line in lines], path)
    return dict(zip(lines, found, strict=True))


def test_help_shows_them_apart_and_imports_none(said):
    code, out, err = said["--help"]
    assert code == 0
    assert "Commands of first-dist" in out
    assert "Commands of second-dist" in out
    assert "Do greet [not markup]" in out
    assert "first-dist/shared" in out
    assert "Another run." not in out
    assert "ACTS IS IMPORTED" not in out + err


def test_a_core_command_s_help_loads_no_plugin(tmp_path):
    install(tmp_path, "noisy-dist", {"noisy_commands": 'raise SystemExit("NOISY IS IMPORTED")'})
    script = "import sys; from srbench.cli.app import app; app(['table', '--help'], standalone_mode=False); "
    script += "print('PLUGINS' if 'srbench.plugins' in sys.modules else 'NONE')"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment_with(tmp_path)
    )
    assert done.stdout.endswith("NONE\n"), done.stderr


@pytest.mark.parametrize(
    ("line", "code", "out", "err"),
    [
        ("greet --name me --loud", 0, "hello me!", ""),
        ("greet --nmae me", 2, "", "--nmae"),
        ("greet -h", 0, "--loud", ""),
        ("tree leaf --size 5", 0, "leaf 5", ""),
        ("wrong", 2, "", "There is nothing to do."),
        ("burst", 1, "", "Command 'burst' of first-dist failed: KeyError: 'lost'."),
        (
            "ghost",
            2,
            "",
            "The command 'ghost' of first-dist cannot be loaded from acts:ghost (AttributeError: ",
        ),
        (
            "number",
            2,
            "",
            "The command 'number' of first-dist cannot be loaded from acts:number (it is int, and nothing",
        ),
        ("odd x", 1, "", "Command 'odd' of first-dist cannot be made a command: "),
        ("shared", 2, "", "Say which one is meant: first-dist/shared and second-dist/shared."),
        ("first-dist/shared", 0, "the first's", ""),
        ("second-dist/shared", 0, "the second's", ""),
        ("gret", 2, "", "srbench has no command 'gret'. Did you mean 'greet'?"),
    ],
)
def test_they_are_called_as_the_core_s_are(said, line, code, out, err):
    assert said[line].code == code
    assert out in said[line].out
    assert err in said[line].err
    assert ("Traceback" in said[line].err) == (line == "burst")


def test_names_of_the_core_and_commands_without_help_are_refused(said):
    assert "refused: 'run' is a command of srbench itself" in said["plugins"].out
    assert "refused: a command needs help=" in said["plugins"].out
    assert "clash: say first-dist/shared or second-dist/shared" in said["plugins"].out
