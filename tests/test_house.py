"""The house plan: which way imports go, what stays light, what is never done, and facts with one home."""

import ast
import importlib
import re
import subprocess
import sys
import tomllib
import types
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from stored import realistic

ROOT = Path(__file__).parents[1]
CORE, PLUGINS = ROOT / "srbench", ROOT / "plugins"
SOURCES = sorted([*CORE.rglob("*.py"), *PLUGINS.rglob("*.py")])

LEVELS = (
    ("cli", "__main__", "api"),
    ("testing", "doctor"),
    ("python",),
    ("report",),
    ("verdict",),
    ("compare", "explain", "probe", "plots", "prove", "upscale"),
    ("views",),
    ("tables",),
    ("executors", "cost", "forecast"),
    ("evaluate",),
    ("foreign", "origins", "suite"),
    ("train",),
    ("plan",),
    ("data",),
    ("datasets", "pairs", "providers", "patch", "badges", "catalogue", "scaffold"),
    ("spec",),
    (
        "registry",
        "entries",
        "components",
        "builtin",
        "plugins",
        "faults",
        "selection",
        "oneoff",
        "containment",
        "deprecations",
    ),
    ("grammar", "parameters", "sources"),
    ("hookspecs",),
    ("predict",),
    ("checkpoint", "store", "metrics", "images", "progress", "phases", "inference", "memory", "figures"),
    ("files",),
    ("types", "facts", "errors", "__init__"),
)
"""Each imports from its own level and from those below it. docs/architecture.md shows the same list."""

UPWARD = {
    ("srbench.plan.settings", "srbench.train.optimizers"),
    ("srbench.plan.settings", "srbench.train.schedule"),
}
"""Imports that go the other way: tables of names that load no torch. Nothing is to be added here."""

HEAVY = ("torch", "pandas")


@cache
def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def name_of(path):
    """srbench/train/loop.py → srbench.train.loop; a package goes by its own name."""
    base = CORE.parent if path.is_relative_to(CORE) else PLUGINS
    return ".".join(path.relative_to(base).with_suffix("").parts).removesuffix(".__init__")


MODULES = {name_of(path): path for path in SOURCES}


def imports_of(path):
    """Every module that a file imports: at its top, in functions, and for type checking alone."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import, line {node.lineno}"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in MODULES else node.module


EDGES = sorted(
    (name, imported)
    for name, path in MODULES.items()
    if path.is_relative_to(CORE)
    for imported in imports_of(path)
    if imported.split(".")[0] == "srbench"
)


def part_of(module):
    """srbench.train.loop → train, and srbench itself → __init__."""
    return [*module.split("."), "__init__"][1]


def level(module):
    (found,) = [number for number, names in enumerate(LEVELS) if part_of(module) in names]
    return found


def test_every_module_has_a_level():
    parts = {part_of(name) for name in MODULES if name.split(".")[0] == "srbench"}
    assert parts == {name for names in LEVELS for name in names}


def test_imports_go_one_way():
    upward = {edge for edge in EDGES if level(edge[1]) < level(edge[0])}
    assert upward == UPWARD


def test_the_levels_in_architecture_are_these():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    block = text.partition("## Imports")[2].partition("```\n")[2].partition("```")[0]
    shown = [set(line.split(", ")) for line in block.splitlines()]
    assert shown == [set(names) - {"__main__", "__init__", "api"} for names in LEVELS]


def test_no_modules_import_each_other_in_a_circle():
    """Imports inside functions count: a circle that works by luck of order is a circle."""
    graph: dict[str, set[str]] = {}
    for importer, imported in EDGES:
        graph.setdefault(importer, set()).add(imported)
    list(TopologicalSorter(graph).static_order())


def test_only_plugins_and_tests_import_the_api():
    assert not [edge for edge in EDGES if edge[1] == "srbench.api"]


def test_the_core_imports_no_plugin():
    plugins = {path.name for path in PLUGINS.iterdir() if path.is_dir()}
    found = [
        (name, imported)
        for name, path in MODULES.items()
        if path.is_relative_to(CORE)
        for imported in imports_of(path)
        if imported.split(".")[0] in plugins
    ]
    assert not found


def test_plugins_import_nothing_of_srbench_but_its_api_and_nothing_of_each_other():
    found = [
        (name, imported)
        for name, path in MODULES.items()
        if path.is_relative_to(PLUGINS)
        for imported in imports_of(path)
        if imported.startswith("srbench")
        and imported != "srbench.api"
        and imported.split(".")[0] != name.split(".")[0]
    ]
    assert not found


def test_every_folder_of_plugins_is_an_entry_point_and_in_the_wheel_and_nothing_else_is():
    """So that deleting a folder with its entry point removes a plugin, and nothing more."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    folders = {path.parent.name for path in PLUGINS.glob("*/plugin.py")}
    points = project["project"]["entry-points"]["srbench"].values()
    assert set(points) == {f"{folder}.plugin" for folder in folders}
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert set(packages) == {"srbench", *(f"plugins/{folder}" for folder in folders)}


# What stays light


def heavy_after(code, *arguments):
    """Which heavy packages a fresh process has loaded after `code`, and what it printed."""
    script = (
        f"import sys\n{code}\n"
        f"print('LOADED', *[name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stderr.rpartition("LOADED")[2].split(), done.stdout


COMMAND = """
from srbench.cli.app import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    root = tmp_path_factory.mktemp("results")
    realistic(root)
    return str(root)


@pytest.mark.parametrize(
    "line",
    [
        "--help", "--version", "run --help", "eval --help", "table --help", "plugins",
        "plugins list --json", "plugins list --freeze", "plugins new --help", "plugins show --help",
        "probe --help", "plot --help", "plot crops --help", "upscale --help", "prove-resume --help",
        "plugins check --help",
        "suite check --help", "suite schema",
        "table", "table --format latex", "table --format json", "runs", "runs --json",
    ],
)  # fmt: skip
def test_a_command_that_computes_nothing_loads_no_torch_and_no_pandas(line, results):
    reads = line.split()[0] in ("table", "runs") and "--help" not in line
    loaded, out = heavy_after(COMMAND, *line.split(), *(["--results", results] if reads else []))
    assert not loaded
    assert out


def test_a_chart_of_stored_scores_loads_no_torch_and_no_pandas(results, tmp_path):
    chart = tmp_path / "trade.png"
    line = ["plot", "pd", "-o", str(chart), "--metric", "lpips", "--results", results]
    assert heavy_after(COMMAND, *line)[0] == []
    assert chart.exists()


@pytest.mark.parametrize(
    "module", ["srbench.api", *sorted(name for name in MODULES if re.fullmatch(r"srbench_\w+\.plugin", name))]
)
def test_a_plugin_module_loads_no_torch(module):
    assert heavy_after(f"import {module}")[0] == []


# What is never done


def calls(path):
    """(dotted name, node) of every call."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def test_nothing_is_unpickled_and_no_text_is_run():
    """A checkpoint, a weights file and a plugin's settings are data: reading them never runs code."""
    found = []
    for path in SOURCES:
        roots = {name.split(".")[0] for name in imports_of(path)}
        found += [
            f"{path} imports {name}"
            for name in roots & {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
        ]
        for name, node in calls(path):
            given = {one.arg: ast.unparse(one.value) for one in node.keywords}
            wrong = (
                name in ("eval", "exec", "compile", "torch.save", "os.system")
                or (name == "torch.load" and given.get("weights_only") != "True")
                or given.get("allow_pickle") == "True"
                or given.get("shell") == "True"
            )
            found += [f"{path}:{node.lineno} calls {ast.unparse(node)}"] if wrong else []
    assert not found


def test_no_module_has_a_name_that_says_nothing():
    assert not {path.stem for path in SOURCES} & {"utils", "util", "helpers", "common", "manager", "misc"}


# Facts with one home


def homes_of(value):
    """The modules in which a number or a text is a whole value; text that only mentions it does not count."""
    return {
        path.relative_to(ROOT).as_posix()
        for path in SOURCES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Constant) and type(node.value) is type(value) and node.value == value
    }


def test_the_exit_code_for_run_me_again_has_one_home():
    assert homes_of(75) == {"srbench/errors.py"}


@pytest.mark.parametrize(
    "name",
    [
        "run.json", "history.jsonl", "timings.jsonl", "checkpoints", "scores.parquet", "summary.json",
        "images", "run.lock", "run.lock.json", "SRBENCH_RESULTS",
    ],
)  # fmt: skip
def test_a_path_name_under_results_has_one_home(name):
    assert homes_of(name) == {"srbench/store/layout.py"}


@pytest.mark.parametrize(
    "name", ["model.safetensors", "state.safetensors", "state.json", "manifest.json", "step-*"]
)
def test_a_name_of_the_checkpoint_format_has_one_home(name):
    assert homes_of(name) == {"srbench/checkpoint/format.py"}


@pytest.mark.parametrize(
    ("name", "home"),
    [
        ("SRBENCH_CACHE", "srbench/images/download.py"),
        ("SRBENCH_OFFLINE", "srbench/images/download.py"),
        ("SRBENCH_LPIPS_WEIGHTS", "srbench/metrics/backbones.py"),
        ("SRBENCH_LPIPS_URL", "srbench/metrics/backbones.py"),
    ],
)
def test_an_environment_variable_is_read_in_one_place(name, home):
    assert homes_of(name) == {home}


def test_ci_runs_the_test_command_of_the_readme_word_for_word():
    blocks = re.findall(r"^```\n(python3 -m venv [^\n]+)\n```$", (ROOT / "README.md").read_text(), re.M)
    (main_job, tests) = blocks
    assert "srbench run --model lapsrn --loss charbonnier" in main_job
    assert tests in (ROOT / ".ci" / "run").read_text().splitlines()


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks").glob("*.py")), ids=lambda path: path.name)
def test_a_benchmark_finds_all_that_it_names_of_srbench(path):
    """They run by hand: what moves under them would be noticed late."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    modules = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "srbench":
            module = importlib.import_module(node.module)
            for alias in node.names:
                found = getattr(module, alias.name, None) or importlib.import_module(
                    f"{node.module}.{alias.name}"
                )
                modules[alias.asname or alias.name] = found
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner = modules.get(node.value.id)
            assert not isinstance(owner, types.ModuleType) or hasattr(owner, node.attr), node.attr
