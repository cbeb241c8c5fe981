"""What `srbench plugins new` writes: well-formed under any name, in the wheel, and good from the first."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from environments import install, new_environment, run, tool

from srbench.scaffold import TEMPLATES, render, write_package
from srbench.scaffold.names import LONGEST, names_of

ROOT = Path(__file__).parents[2]

NAMES = {
    "model": "mynet",
    "loss": "edges",
    "dataset": "charts",
    "metric": "steepness",
    "degradation": "camera",
}


def ci_commands(package):
    """The commands of the package's CI file, but for those that install."""
    text = (package / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    commands = re.findall(r"^      - run: (.+)$", text, re.M)
    assert [one for one in commands if one.startswith("pip ")] == commands[:2]
    return commands[2:]


@pytest.mark.parametrize("name", ["a", "b" * LONGEST, "two-words_or3"])
def test_a_package_is_well_formed_whatever_its_name(name, tmp_path):
    """Lines get longer with the name, and imports another order."""
    for kind in TEMPLATES:
        write_package(kind, name, tmp_path / kind)
    for line in (["format", "--check"], ["check"]):
        done = subprocess.run([tool("ruff"), *line, str(tmp_path)], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("kind", TEMPLATES)
def test_its_files_are_whole(kind):
    names = names_of(kind, NAMES[kind])
    files = {str(path): text for path, text in render(kind, names).items()}
    assert {
        "pyproject.toml", "README.md", "LICENSE", ".gitignore", ".github/workflows/ci.yml",
        f"tests/test_{kind}.py", f"{names.package}/py.typed", f"{names.package}/plugin.py",
    } < set(files)  # fmt: skip
    for path, text in files.items():
        assert "{{" not in text.replace("${{ matrix.python }}", ""), path
        assert "{%" not in text, path
        assert path.endswith("py.typed") or (text.endswith("\n") and not text.endswith("\n\n")), path
        assert "\n\n\n\n" not in text, path
    # What it needs has the ranges of srbench itself.
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    theirs = tomllib.loads(files["pyproject.toml"])
    extras = ours["project"]["optional-dependencies"]["dev"]
    needed = set(theirs["project"]["dependencies"])
    assert {one for one in needed if not one.startswith("srbench-harness>=")} <= {
        *ours["project"]["dependencies"]
    }
    assert set(theirs["project"]["optional-dependencies"]["dev"]) <= set(extras)
    assert theirs["build-system"] == ours["build-system"]
    assert files["README.md"].count(names.component) > 3


def test_the_templates_are_in_the_wheel(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = tmp_path.iterdir()
    folder = ROOT / "srbench" / "scaffold" / "templates"
    templates = {path.relative_to(ROOT).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert len(templates) > 20
    assert templates <= set(zipfile.ZipFile(wheel).namelist())


# Installed in an environment of its own


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    return new_environment(tmp_path_factory.mktemp("environment"))


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """What mypy has found out of torch, kept from one package to the next."""
    return tmp_path_factory.mktemp("shared")


@pytest.mark.parametrize(
    "kind",
    [kind if kind == "loss" else pytest.param(kind, marks=pytest.mark.slow) for kind in TEMPLATES],
)
def test_a_package_passes_all_that_its_ci_runs(kind, environment, shared, tmp_path, capsys):
    folder, _ = write_package(kind, NAMES[kind], tmp_path)
    seconds = {"pip install": install(environment, folder)}
    for line in ci_commands(folder):
        seconds[line] = run(environment, line, folder, shared)
    with capsys.disabled():
        told = ", ".join(f"{line} {taken:.1f} s" for line, taken in seconds.items())
        sys.stdout.write(f"\n{kind}: {told}")


@pytest.mark.slow
def test_all_five_go_together(environment, shared, tmp_path, monkeypatch):
    """A run with nothing but what was generated: it trains, and its scores stand in the table."""
    folders = [write_package(kind, name, tmp_path)[0] for kind, name in NAMES.items()]
    install(environment, *folders)
    line = (
        "srbench run --model mynet:features=8,blocks=1 --loss l1+0.5*edges --dataset charts:side=48,train=4 "
        "--degradation camera --metric psnr,steepness --steps 4 --patch 32 --batch 2 --precision fp32"
    )
    run(environment, line, tmp_path, shared)
    run(environment, "srbench table", tmp_path, shared)
    (summary,) = tmp_path.glob("results/mynet-*/summary.json")
    assert "steepness" in summary.read_text()
