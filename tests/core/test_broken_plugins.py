"""Sixteen broken plugins installed together: each is told with its cause, and costs nothing but itself."""

import re
import subprocess
import sys

import pytest
from installed import Said, environment_with, install, say
from small import picture_folder, small_arguments, srbench

HOOK = "from srbench.api import hookimpl\n\n"


def registers(kind: str, *calls: str) -> str:
    """A hook that names things of a kind."""
    return (
        f"@hookimpl\ndef register_{kind}(register):\n" + "".join(f"    {call}\n" for call in calls) + "\n\n"
    )


BROKEN = {
    "import-error": "from math import no_such_thing\n",
    "missing-dependency": "import nowhere_to_be_found\n",
    "syntax-error": "def broken(:\n",
    "system-exit": "print('bye')\nraise SystemExit('bye')\n",
    "wrong-hook": HOOK + registers("loses", 'register("lost", "x:y")'),
    "wrong-signature": HOOK + "@hookimpl\ndef register_losses(registr):\n    pass\n",
    "double-name": HOOK
    + registers("losses", 'register("charbonnier", "claimed:loss")')
    + registers("models", 'register("bicubic", "claimed:model")')
    + registers("datasets", 'register("sample", "claimed:data")')
    + registers("metrics", 'register("ssim", "claimed:metric", better="higher")')
    + registers("degradations", 'register("bicubic", "claimed:degradation")')
    + registers("executors", 'register("local", "claimed:executor")')
    + registers("commands", 'register("run", "claimed:run", help="Another run.")'),
    "double-entry-point": HOOK + registers("losses", 'register("namesake", lambda: None)'),
    "too-new": HOOK + "SRBENCH_API = 2\n" + registers("losses", 'register("newer", "x:y")'),
    "half-way": HOOK
    + "@hookimpl\ndef run_started(run):\n    print('HALF A PLUGIN LIVES')\n\n\n"
    + registers("losses", 'register("whole", lambda: None)')
    + registers("models", 'register("half", lambda: None)', 'raise RuntimeError("out of ideas")'),
    "bursting": HOOK
    + "def build():\n    raise RuntimeError('no room')\n\n\n"
    + registers("losses", 'register("burst", build)'),
    "wide-model": HOOK
    + "def build(planes: int, scale: int):\n    from torch import nn\n\n"
    + "    return nn.Conv2d(planes, planes, 3, padding=1)\n\n\n"
    + registers("models", 'register("wide", build)'),
    "vector-loss": HOOK
    + "def build():\n    return lambda sr, hr: (sr - hr).abs().mean(dim=(1, 2, 3))\n\n\n"
    + registers("losses", 'register("vector", build)'),
    "nan-metric": HOOK
    + "def silent(sr, hr):\n    return (sr - hr).mean(dim=(2, 3)) * float('nan')\n\n\n"
    + registers("metrics", 'register("silent", silent, better="higher")'),
    "loud-event": HOOK + "@hookimpl\ndef run_started(run):\n    raise ValueError('disk on fire')\n",
    "no-module": "",
}
"""Distribution → the text of its module."""

CAUSES = {
    "import-error": "failed: ImportError: cannot import name 'no_such_thing' from 'math'",
    "missing-dependency": "failed: ModuleNotFoundError: No module named 'nowhere_to_be_found'; "
    'pip install "missing-dependency[fast]"',
    "syntax-error": "failed: SyntaxError: invalid syntax (syntax_error.py, line 1)",
    "system-exit": "failed: SystemExit: bye; it ends the program when it is imported",
    "wrong-hook": "failed: 'register_loses' is no hook of srbench. Did you mean 'register_losses'?",
    "wrong-signature": "failed: register_losses asks for 'registr', which register_losses does not give. "
    "Did you mean 'register'? It gives: register",
    "double-name": "clash: say srbench-harness/charbonnier or double-name/charbonnier",
    "double-entry-point": "clash: say srbench-harness/losses or double-entry-point/losses",
    "too-new": "failed: is written for version 2 of srbench.api, and this srbench has 1: update "
    "srbench-harness",
    "half-way": "failed: RuntimeError: out of ideas",
    "no-module": "failed: ModuleNotFoundError: No module named 'no_module'; its entry point names no_module: "
    "install no-module again, or mend its entry point",
}
"""Distribution → what the listing says; the others show when they are used."""

GOOD = HOOK + (
    "print('loading')\n\n\n"
    "def build():\n    return lambda sr, hr: (sr - hr).abs().mean()\n\n\n"
) + registers("losses", 'register("fine", build)')  # fmt: skip


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """All of them, and one that is whole, as packages on a path."""
    folder = tmp_path_factory.mktemp("packages")
    for dist, text in BROKEN.items():
        name = dist.replace("-", "_")
        points = ["losses = double_entry_point"] if dist == "double-entry-point" else [f"{dist} = {name}"]
        requires = 'nowhere-to-be-found>=2; extra == "fast"' if dist == "missing-dependency" else ""
        install(folder, dist, {name: text} if text else {}, *points, requires=requires)
    install(folder, "fine-dist", {"fine_plugin": GOOD})
    return folder


@pytest.fixture(scope="module")
def said(path, tmp_path_factory) -> dict[str, Said]:
    """What the commands of srbench say, among them a tiny run to its end."""
    pictures, work = picture_folder(tmp_path_factory.mktemp("pictures")), tmp_path_factory.mktemp("work")
    run = small_arguments(pictures, work / "results", "--metric", "silent")
    test = f"folder:test={pictures / 'test'}"

    def with_loss(name: str, *more: str) -> list[str]:
        at = run.index("--loss") + 1
        return [*run[:at], name, *run[at + 1 :], *more]

    lines = {
        "run": with_loss("fine"),
        "own": with_loss("srbench-harness/charbonnier", "--dry-run"),
        "burst": with_loss("burst"),
        "vector": with_loss("vector"),
        "wide": [run[0], "--model", "wide", *with_loss("fine")[3:]],
        "typed clash": run,
        "half-way": with_loss("whole"),
        "mistyped": with_loss("charbonier"),
        "table": ["table", "--format", "csv"],
        "runs": ["runs", "--json"],
        "eval": ["eval", "lapsrn", "--test", test],
        "compare": ["compare", "lapsrn", "bicubic"],
        "verdict": ["verdict", "lapsrn"],
        "explain": ["explain", "bicubic", "--psnr", "20", "--limit", "1", "--test", test],
        "probe": ["probe", "--loss", "fine", "--patches", "1"],
        "plot": ["plot", "pd", "-o", "trade.png", "--metric", "psnr"],
        "checkpoint list": ["checkpoint", "list"],
        "checkpoint verify": ["checkpoint", "verify"],
        "data list": ["data", "list", "--json"],
        "plugins": ["plugins"],
        "help": ["--help"],
    }  # fmt: skip
    return dict(zip(lines, say(path, list(lines.values()), work), strict=True))


def test_there_are_sixteen():
    assert len(BROKEN) == 16


@pytest.mark.parametrize(
    "command",
    ["run", "own", "table", "runs", "eval", "compare", "verdict", "explain", "probe", "plot",
     "checkpoint list", "checkpoint verify", "data list", "plugins", "help"],
)  # fmt: skip
def test_every_command_works_beside_them(said, command):
    assert said[command].code == 0, said[command].err
    assert "Traceback" not in said[command].err


@pytest.mark.parametrize("dist", CAUSES)
def test_what_is_broken_is_listed_with_its_own_cause(said, dist):
    lines = [re.split(r" +1\.0 +", line) for line in said["plugins"].out.splitlines()]
    states = [state for head, *rest in lines if head.endswith(f" {dist}") for state in rest]
    assert any(state.startswith(CAUSES[dist]) for state in states), states


def test_a_command_of_srbench_s_own_name_is_refused(said):
    assert "refused: 'run' is a command of srbench itself" in said["plugins"].out
    assert "Another run." not in said["help"].out


def test_what_plugins_print_as_they_load_is_not_in_the_results(said, path, tmp_path):
    assert "loading" not in said["run"].out
    script = [sys.executable, "-m", "srbench", "plugins"]
    done = subprocess.run(script, capture_output=True, text=True, cwd=tmp_path, env=environment_with(path))
    assert "loading" in done.stderr
    assert "bye" in done.stderr
    assert "loading" not in done.stdout


@pytest.mark.parametrize(
    ("used", "code", "sentence"),
    [
        ("burst", 1, "Loss 'burst' of bursting cannot be built: RuntimeError: no room."),
        ("vector", 1, "Loss 'vector' of vector-loss gives a tensor of shape (2,) at ×4, and a loss is one"),
        ("wide", 1, "Model 'wide' of wide-model makes (1, 3, 8, 8) of an LR picture (1, 3, 8, 8) at ×4. "
                    "(1, 3, 32, 32) is right"),
        ("run", 0, "silent of nan-metric gave no number (NaN) for any picture of test"),
        ("run", 0, "The hook run_started of plugin loud-event"),
        ("typed clash", 2, "Two plugins name a loss 'charbonnier'. Say which one is meant: "
                           "srbench-harness/charbonnier and double-name/charbonnier."),
        ("half-way", 2, "No loss named 'whole'."),
        ("mistyped", 2, "No loss named 'charbonier'. Did you mean 'charbonnier'?"),
    ],
)  # fmt: skip
def test_what_is_broken_in_use_says_so_in_one_sentence(said, used, code, sentence):
    assert sentence in said[used].err
    assert said[used].code == code
    assert "Traceback" not in said[used].err


def test_half_a_plugin_hears_of_no_event(said):
    assert "HALF A PLUGIN LIVES" not in said["run"].out + said["run"].err


def test_a_clash_changes_no_run_of_srbench_s_own_components(said, monkeypatch, tmp_path, capsys):
    """Their ids are those of a machine without the other plugin."""
    arguments = small_arguments(picture_folder(tmp_path), tmp_path / "results", "--dry-run")
    assert srbench(arguments, monkeypatch) == 0
    ids = [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()]
    assert [line.partition(":")[0] for line in said["own"].out.splitlines()] == ids


def test_strict_lists_all_of_them_and_does_nothing(path, tmp_path):
    (found,) = say(path, [["--strict-plugins", "runs"]], tmp_path)
    assert found.code == 1
    assert all(cause in found.err for cause in CAUSES.values())
    assert not list(tmp_path.iterdir())
