"""Documentation and code tell one story: hooks, options, metrics, files, keys, and a tutorial that runs."""

import importlib.metadata
import inspect
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
import typer
from safetensors import safe_open
from small import MODEL, picture_folder, small_arguments
from small import srbench as run_srbench

from srbench import api, errors, hookspecs
from srbench.cli.app import app
from srbench.components import REGISTERED
from srbench.errors import UsageError
from srbench.plugins import PluginHost
from srbench.registry import Registry, registry
from srbench.store.layout import RunPaths
from srbench.store.lock import run_lock
from srbench.tables import KEYS
from srbench.testing.conformance import checks_of

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
HOOKS = {name: hook for name, hook in vars(hookspecs).items() if hasattr(hook, "srbench_spec")}


def page(name):
    return (DOCS / name).read_text(encoding="utf-8")


def without_code(text):
    return re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)


def section(name, heading):
    """The text under a heading, down to the next one of its level or above."""
    level = len(heading) - len(heading.lstrip("#"))
    match = re.search(
        rf"^{re.escape(heading)}$(.*?)(?=^#{{1,{level}}} |\Z)", without_code(page(name)), re.M | re.S
    )
    assert match, f"docs/{name} has no heading {heading!r}"
    return match[1]


def code_words(text):
    """Everything in backticks."""
    return set(re.findall(r"`([^`]+)`", without_code(text)))


# Hooks


def test_every_hook_has_a_heading_with_its_signature_and_there_is_no_other():
    expected = {f"{name}({', '.join(inspect.signature(hook).parameters)})" for name, hook in HOOKS.items()}
    assert set(re.findall(r"^### (.+)$", page("plugins/hooks.md"), re.M)) == expected


@pytest.mark.parametrize("hook", [name for name in HOOKS if name.startswith("register_")])
def test_the_register_callable_of_a_hook_is_shown_as_it_is(hook):
    """Names, order and defaults; annotations are left out."""
    annotation = inspect.signature(HOOKS[hook]).parameters["register"].annotation
    signature = inspect.signature(annotation.__call__)
    parameters = [
        one.replace(annotation=inspect.Parameter.empty)
        for name, one in signature.parameters.items()
        if name != "self"
    ]
    shown = f"register{signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty)}"
    text = page("plugins/hooks.md").partition(f"### {hook}(register)")[2].partition("\n### ")[0]
    assert shown.replace("'", '"') in text
    asked = re.findall(r"`(\w+)", without_code(text))  # also of `build(planes, scale)`
    assert not {one.name for one in parameters} - {*asked, "name"}  # which all have: it is said once


@pytest.mark.parametrize("hook", [name for name in HOOKS if not name.startswith("register_")])
def test_every_argument_of_an_event_is_explained(hook):
    """Under its own heading, or for all of them under Events."""
    signature = ", ".join(inspect.signature(HOOKS[hook]).parameters)
    own = section("plugins/hooks.md", f"### {hook}({signature})")
    shared = section("plugins/hooks.md", "## Events").partition("\n### ")[0]
    assert set(inspect.signature(HOOKS[hook]).parameters) <= code_words(own) | code_words(shared)


# Command line


def commands():
    """`srbench run` → its click command, for all of them."""
    found = {}

    def walk(name, command):
        found[name] = command
        for child in command.list_commands(None) if hasattr(command, "list_commands") else ():
            walk(f"{name} {child}", command.get_command(None, child))

    walk("srbench", typer.main.get_command(app))
    return found


def options_of(command):
    """Option group → the ways to write each option, as `--help` shows them."""
    groups = {}
    for parameter in command.params:
        if parameter.param_type_name == "option" and "--help" not in parameter.opts:
            panel = (getattr(parameter, "rich_help_panel", None) or "").partition(" (")[0]
            groups.setdefault(panel, set()).update([*parameter.opts, *parameter.secondary_opts])
    return groups


def options_in(text):
    """The options that the first column of its tables explains."""
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `-")]
    return set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", " ".join(cells)))


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_option_is_explained_in_the_group_of_its_command_and_no_other_is(name):
    text = "\n" + without_code(page("cli.md"))
    level = "#" * (len(name.split()) if name != "srbench" else 1)
    start = f"\n{level} {name if name != 'srbench' else 'The command line'}\n"
    assert start in text, f"docs/cli.md has no heading {start.strip()!r}"
    rest = text.partition(start)[2]
    rest = re.split(r"^## " if name == "srbench" else rf"^#{{1,{len(level)}}} ", rest, flags=re.M)[0]
    rest = re.split(r"^#+ srbench ", rest, flags=re.M)[0]  # not those of a command below it
    parts = re.split(r"^#+ (.+)$", rest, flags=re.M)
    explained = {"": options_in(parts[0])}
    for heading, part in zip(parts[1::2], parts[2::2], strict=True):
        explained[heading] = options_in(part)
    assert {panel: one for panel, one in explained.items() if one} == options_of(commands()[name])


def test_every_environment_variable_the_code_reads_is_explained():
    read = {
        name
        for path in (ROOT / "srbench").rglob("*.py")
        for name in re.findall(r"\bSRBENCH_[A-Z_]+\b", path.read_text(encoding="utf-8"))
    } - {"SRBENCH_API"}  # what a plugin module says of itself
    assert code_words(section("cli.md", "## Environment variables")) >= read


@pytest.mark.parametrize("name", ["cli.md", "start.md"])
def test_every_exit_code_of_an_error_is_explained(name):
    codes = {
        error.exit_code
        for _, error in inspect.getmembers(errors, inspect.isclass)
        if issubclass(error, errors.SrbenchError)
    }
    table = section(name, "## Exit codes")
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.M)} >= {0, *codes}


# Metrics

FACTS_OF_WEIGHTS = {
    "lpips": {"net", "weights_sha256", "lpips"},
    "dists": {"weights_sha256", "dists_sha256"},
    "stlpips": {"net", "weights_sha256"},
    "niqe": {"pristine_sha256"},
    "pyiqa": {"pyiqa", "mode", "lower_better", "weights_sha256"},
}
"""They cannot be read where there are no weights."""


@pytest.mark.parametrize("name", registry().names("metric"))
def test_every_metric_has_a_heading_its_direction_unit_settings_and_facts(name):
    metric = registry().find("metric", name)
    text = section("metrics.md", f"## {name}")
    directions = ["lower", "higher"] if ":" in metric.better else [metric.better]
    assert all(f"**{one}**" in text for one in directions)
    assert not metric.unit or f"**{metric.unit}**" in text
    assert code_words(text) >= {*metric.parameters, *metric.planes}
    if metric.facts is not None:
        assert code_words(text) >= set(FACTS_OF_WEIGHTS.get(name) or metric.read_facts({}))


# Promises


@pytest.mark.parametrize("kind", ["loss", "dataset", "metric", "degradation"])
def test_every_promise_of_a_kind_has_a_row_and_there_is_no_other(kind):
    rows = re.findall(
        r"^\| ([^|`]+) \|", section("plugins/components.md", f"### What a {kind} promises"), re.M
    )
    assert ", ".join(rows[1:]) == ", ".join(check.name for check in checks_of(kind))


# Models


@pytest.mark.parametrize("name", registry().names("model"))
def test_every_model_has_a_row_with_its_settings(name):
    """`key=default`, as typed after the model's name."""
    (row, *_) = re.findall(rf"^\| `{name}` \|.*$", page("models.md"), re.M)
    defaults = {key: one.default for key, one in registry().find("model", name).parameters.items()}
    typed = {key: str(one).lower() if isinstance(one, bool) else str(one) for key, one in defaults.items()}
    assert {f"{key}={one}" for key, one in typed.items()} <= code_words(row)


# Degradations


@pytest.mark.parametrize("name", registry().names("degradation"))
def test_every_degradation_has_a_row_and_its_parameters_are_explained(name):
    text = page("degradations.md")
    assert re.search(rf"^\| `{name}` \|", text, re.M)
    assert {*registry().find("degradation", name).parameters} <= code_words(text)


# Links


def slug(heading):
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).replace(" ", "-")


@pytest.mark.parametrize(
    "source",
    [*sorted(DOCS.rglob("*.md")), *(ROOT / one for one in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"))],
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_every_relative_link_leads_somewhere(source):
    text = without_code(source.read_text(encoding="utf-8"))
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (source.parent / path) if path else source
        assert target.exists(), f"{source.name} links to {link}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", without_code(target.read_text(encoding="utf-8")), re.M)
            assert anchor in {slug(one) for one in headings}, f"{source.name} links to {link}"


# What lies in results/


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The files of a tiny run with all that a run can have."""
    root = tmp_path_factory.mktemp("documented")
    pictures = picture_folder(root / "pictures")
    more = ("--eval-every", "3", "--save-images", "1", "--metric", "psnr,ssim,lpips")
    with pytest.MonkeyPatch.context() as patch:
        assert run_srbench(small_arguments(pictures, root / "results", *more), patch) == 0
    (directory,) = (root / "results").glob("lapsrn-*")
    return RunPaths(directory)


def keys_of(value, *, inside=()):
    """The keys of a JSON object, and of those objects in it that `inside` names."""
    found = set(value)
    for key in inside:
        part = value[key][0] if isinstance(value[key], list) else value[key]
        found |= keys_of(part)
    return found


def test_every_file_of_a_run_is_named_in_results_or_checkpoints(run):
    text = page("results.md") + page("checkpoints.md")
    with run_lock(run):
        files = {path.relative_to(run.directory) for path in run.directory.rglob("*") if path.is_file()}
        assert Path(run.lock_owner.name) in files
        owner = json.loads(run.lock_owner.read_text())
    for path in files:
        if path.parts[0] == "images":
            assert re.fullmatch(r"images/test/x[24]/face\.png", path.as_posix())
            assert "images/TEST/xSCALE/NAME.png" in text
        else:
            assert path.name in text, f"{path} is in no page"
    assert code_words(section("results.md", "## run.lock")) >= set(owner)


def test_every_key_of_a_run_s_json_is_named_in_results(run):
    record = json.loads(run.run.read_text())
    spec_words = code_words(section("results.md", "## run.json"))
    assert spec_words >= keys_of(record, inside=("spec", "provenance"))
    assert spec_words >= keys_of(next(iter(record["provenance"]["providers"].values())))
    assert code_words(section("checkpoints.md", "## What is guaranteed")) >= set(record["engine"])
    history = json.loads(run.history.read_text().splitlines()[0])
    assert code_words(section("results.md", "## history.jsonl")) >= set(history)
    timings = json.loads(run.timings.read_text().splitlines()[0])
    assert code_words(section("results.md", "## timings.jsonl")) >= set(timings)
    summary = json.loads(run.summary.read_text())
    words = code_words(section("results.md", "## summary.json")) | code_words(
        section("results.md", "## scores.parquet")
    )
    assert words >= keys_of(summary, inside=("scores",))
    schema = pq.read_schema(run.scores)
    assert words >= {*schema.names, *(key.decode() for key in schema.metadata)}
    (protocol, *_) = summary["protocols"].values()
    shown = json.loads(page("metrics.md").partition("```json\n")[2].partition("```")[0])
    assert set(shown) == set(protocol)
    assert set(shown["inference"]) == set(protocol["inference"])


def test_what_scripts_read_is_named_in_results(run, monkeypatch, capsys):
    words = code_words(section("results.md", "## For scripts"))
    assert words >= set(KEYS)
    assert run_srbench(["runs", "--json", "--results", str(run.directory.parent)], monkeypatch) == 0
    assert words >= set(json.loads(capsys.readouterr().out)[0])


def test_json_examples_in_the_pages_are_json():
    for path in DOCS.rglob("*.md"):
        for block in re.findall(r"^```json\n(.*?)^```", path.read_text(encoding="utf-8"), re.M | re.S):
            json.loads(block)


def test_every_key_of_a_checkpoint_is_named_in_checkpoints(run):
    folder = max(run.checkpoints.glob("step-*"))
    assert {path.name for path in folder.iterdir()} <= code_words(page("checkpoints.md"))
    state = json.loads((folder / "state.json").read_text())
    words = code_words(section("checkpoints.md", "### state.json"))
    assert words >= {*state, *state["progress"]}
    manifest = json.loads((folder / "manifest.json").read_text())
    assert code_words(section("checkpoints.md", "### manifest.json")) >= set(manifest)
    with safe_open(folder / "state.safetensors", "pt") as file:
        kinds = {key.partition(".")[0] for key in file.keys()}  # noqa: SIM118 - not a mapping
    shown = code_words(section("checkpoints.md", "### state.safetensors"))
    assert kinds <= {word.partition(".")[0] for word in shown}
    with safe_open(folder / "model.safetensors", "pt") as file:
        assert {key.partition(".")[0] for key in file.keys()} == {"r", "g", "b"}  # noqa: SIM118


# The tree


def test_the_tree_in_architecture_names_every_module_and_no_other():
    tree = page("architecture.md").partition("```\nsrbench/\n")[2].partition("```")[0]
    tree, _, plugins = tree.partition("plugins/\n")
    named, folder = set(), ""
    for line in tree.splitlines():
        name = line.split()[0]
        if name.endswith("/"):
            folder = name
        else:
            named.add(name if line.startswith("  ") and not line.startswith("    ") else folder + name)
    modules = {path.relative_to(ROOT / "srbench").as_posix() for path in (ROOT / "srbench").rglob("*.py")}
    empty = {name for name in modules if name.endswith("/__init__.py")} - named  # a docstring alone
    assert all(len((ROOT / "srbench" / name).read_text().splitlines()) == 1 for name in empty)
    assert named == modules - empty
    packages = {path.parent.name for path in (ROOT / "plugins").glob("*/plugin.py")}
    assert set(re.findall(r"^  (srbench_\w+)/", plugins, re.M)) == packages


# The plugin API


def test_every_public_name_of_the_api_is_explained_and_no_other_is():
    cells = [
        line.split("|")[1]
        for line in section("plugins/api.md", "## What may be imported").splitlines()
        if "|" in line
    ]
    assert code_words("\n".join(cells)) == set(api.__all__)
    assert {name for name in vars(api) if not name.startswith(("_", "@"))} <= {
        *api.__all__,
        "TYPE_CHECKING",
        "resolve",
        "sys",
    }
    assert all(getattr(api, name) is not None for name in api.__all__)


# The tutorial


def tutorial_files():
    """Path → text of the files that components.md and testing.md write; `(more)` after a path adds to it."""
    files = {}
    text = page("plugins/components.md") + page("plugins/testing.md")
    for language, block in re.findall(r"^```(python|toml)\n(.*?)^```", text, re.M | re.S):
        match = re.match(r"# (\S+)( \(more\))?\n", block)
        assert match, f"this {language} block of docs/plugins/ begins with no '# path':\n{block}"
        path, more = match[1], match[2]
        assert bool(more) == (path in files), f"{path}: the first block is whole, later ones say (more)"
        files[path] = files.get(path, "") + ("\n\n" if more else "") + block[match.end() :]
    return files


@pytest.fixture
def tutorial(tmp_path, monkeypatch):
    """The tutorial's package as files on the import path, and its entry points, as if it were installed."""
    for path, text in tutorial_files().items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    (tmp_path / "my_srbench" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    project = tomllib.loads((tmp_path / "pyproject.toml").read_text())["project"]
    points = project["entry-points"]["srbench"]
    info = tmp_path / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
    lines = "".join(f"{name} = {module}\n" for name, module in points.items())
    (info / "entry_points.txt").write_text(f"[srbench]\n{lines}")
    yield [importlib.metadata.EntryPoint(name, module, "srbench") for name, module in points.items()]
    for name in [name for name in sys.modules if name.split(".")[0] == "my_srbench"]:
        del sys.modules[name]


@pytest.fixture
def components(tutorial):
    found = Registry(PluginHost(tutorial))
    assert [row.state for row in found.rows()] == ["ok"] * (
        len(REGISTERED) + 1
    )  # of degradations there are two
    return found


def test_the_tutorial_s_loss_takes_thirty_lines_or_less():
    first = page("plugins/components.md").partition("### What a loss is called with")[0]
    blocks = re.findall(r"^```python\n# \S+\n(.*?)^```", first, re.M | re.S)
    assert sum(len(block.strip().splitlines()) for block in blocks) <= 30


def test_the_tutorial_s_loss_is_zero_for_equal_pictures_and_refuses_what_it_says(components):
    loss = components.find("loss", "edges")
    hr = torch.rand(2, 1, 8, 9)
    assert loss.make(**loss.settings({"power": "2"}))(sr=hr, hr=hr) == 0
    assert loss.make(**loss.settings({}))(sr=hr.flip(-1), hr=hr) > 0
    with pytest.raises(UsageError, match="power is at least 1, not 0.5"):
        loss.make(**loss.settings({"power": "0.5"}))


def test_the_tutorial_s_other_components_give_the_shapes_it_says(components, tmp_path):
    model = components.find("model", "subpixel")
    network = model.make(planes=1, scale=3, **model.settings({"features": "4"}))
    assert network(torch.rand(2, 1, 5, 6)).shape == (2, 1, 15, 18)
    assert model.recipes["default"]["loss"] in registry().names("loss")

    mixup = components.find("trainer", "mixup")
    trainer = mixup.make(**mixup.settings({"alpha": "0.5"}))
    updated = []
    logs = trainer.step(
        {"network": network}, torch.rand(2, 1, 5, 6), {3: torch.rand(2, 1, 15, 18)}, 0,
        lambda loss, name: updated.append((loss.item(), name)),
    )  # fmt: skip
    assert updated == [(logs["loss"].item(), "network")]

    pictures = picture_folder(tmp_path / "pictures")
    scans = components.find("dataset", "scans")
    built = scans.make(**scans.settings({"root": str(pictures / "train"), "every": "2"}))
    assert [one.name for one in built.train] == ["grass"]
    assert [one.name for one in built.test] == ["coffee", "rocket"]

    hr = torch.rand(2, 3, 8, 12)
    metric = components.find("metric", "mean_error")
    values = metric.build(sr=hr + 1 / 255, hr=hr, **metric.settings({}))
    torch.testing.assert_close(values, torch.ones(2, 3, dtype=torch.float64), rtol=0, atol=1e-4)

    box = components.find("degradation", "box")
    lr = box.make(**box.settings({"round": "false"}))(hr, 4)
    torch.testing.assert_close(lr[..., 0, 0], hr[..., :4, :4].mean(dim=(2, 3)))

    gentle = components.find("executor", "gentle")
    assert gentle.make(**gentle.settings({"nice": "3"})).nice == 3
    with pytest.raises(UsageError, match="nice is from 0 to 19, not 20"):
        gentle.make(**gentle.settings({"nice": "20"}))

    grain = components.find("degradation", "grain")
    noisy = grain.make(**grain.settings({"most": "50"})).of("coffee")(hr, 4)
    assert not torch.equal(noisy, box.make(round=True)(hr, 4))
    assert torch.equal(noisy, grain.make(most=50.0).of("coffee")(hr, 4))
    assert torch.equal(grain.make(most=0.0).of("coffee")(hr, 4), box.make(round=True)(hr, 4))


def test_the_tutorial_s_components_train_and_score_a_run_of_the_real_command(tutorial, tmp_path):
    """The last line of the tutorial, made small; the package is found as an installed one is."""
    pictures = picture_folder(tmp_path / "pictures")
    command = [
        sys.executable, "-m", "srbench", "run", "--model", f"subpixel:features=2,{MODEL}", "--scale", "4",
        "--loss", "charbonnier+0.1*edges:power=2", "--dataset", f"scans:root={pictures / 'train'},every=3",
        "--degradation", "box", "--metric", "psnr,mean_error:power=2", "--steps", "2", "--batch", "2",
        "--patch", "16", "--results", "results", "--executor", "gentle:nice=1",
    ]  # fmt: skip
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "finished.txt").read_text().splitlines()) == 3  # both, and bicubic
    command = [sys.executable, "-m", "srbench", "finished"]
    shown = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert {one.parent.name for one in tmp_path.glob("results/*/run.json")} == set(shown.stdout.split())
    (summary,) = [json.loads(one.read_text()) for one in tmp_path.glob("results/subpixel-*/summary.json")]
    found = {(row["metric"], row["plane"]) for row in summary["scores"]}
    assert {metric for metric, _ in found} == {"psnr", "mean_error:power=2.0"}
    assert {protocol["degradation"] for protocol in summary["protocols"].values()} == {"box:round=true"}


def test_the_tutorial_s_tests_pass_in_an_author_s_pytest(tutorial, tmp_path):
    """Found by the entry point that srbench is installed with."""
    info = tmp_path / "srbench_testing-0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: srbench-testing\nVersion: 0\n")
    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["pytest11"]
    lines = "".join(f"{name} = {module}\n" for name, module in points.items())
    (info / "entry_points.txt").write_text(f"[pytest11]\n{lines}")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "tests"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_key_of_a_report_is_named_in_plugins(monkeypatch, capsys):
    assert run_srbench(["plugins", "check", "bicubic", "--kind", "model", "--json"], monkeypatch) == 0
    (report,) = json.loads(capsys.readouterr().out)
    assert code_words(section("plugins/testing.md", "## Reports and badges")) >= keys_of(
        report, inside=("findings",)
    )
