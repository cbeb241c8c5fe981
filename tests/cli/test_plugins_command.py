"""`srbench plugins`: what it lists without importing it, what it shows of one, and what `new` refuses."""

import importlib
import json
import sys
from pathlib import Path

import pytest
from installed import install, say
from small import srbench

import srbench as package
from srbench.badges import SCHEMA, source_sha256, write_report
from srbench.catalogue.detail import type_text
from srbench.components import KINDS
from srbench.plugins import host
from srbench.registry import registry
from srbench.scaffold import TEMPLATES
from srbench.sources import module_file

GOOD = '''
from pathlib import Path
from typing import Literal
from srbench.api import hookimpl


def edges(power: float = 1.0, pool: Literal["mean", "sum"] = "mean", plain=None):
    """How far off edges are.

    Args:
        power: [of] the difference.
    """


def scans(root: Path, every: int = 5, crop: int | None = None, scale: int | None = None):
    """Scans."""


def multiple(features):
    return 2 * features


def recipe(features, scale):
    return {"loss": "l1", "patch": features * scale}


@hookimpl
def register_losses(register):
    register("edges", edges, domain="rgb", laws=("zero at equality",))


@hookimpl
def register_models(register):
    register("net", "heavy_module:Net", scales=(3,), size_multiple=multiple, recipes={"default": recipe})


@hookimpl
def register_datasets(register):
    register("scans", scans)


@hookimpl
def register_metrics(register):
    register("net", "heavy_module:score", better="higher", unit="dB", bounds=(0, float("inf")))
'''

OTHER = """
from srbench.api import hookimpl


@hookimpl
def register_losses(register):
    register("edges", lambda: None)
    register("edgy", lambda: None, domian="rgb")


@hookimpl
def register_models(register):
    register("ghost", "nowhere_at_all:build", scales=(2,))
"""

HEAVY = '''
class Net:
    """A net."""

    def __init__(self, planes, scale, features: int = 8):
        pass


def score(sr, hr, c: float = 1.0):
    """A score."""
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three distributions on the import path, as if installed: one good, one not quite, one broken."""
    root = tmp_path_factory.mktemp("installed")
    sources = {
        "good": GOOD,
        "other": OTHER,
        "broken": "import nowhere_to_be_found",
        "heavy_module": HEAVY,
        "srbench_lone": "",
    }
    for name, text in sources.items():
        (root / f"{name}.py").write_text(text, encoding="utf-8")
    for name, version in (("good", "1.2"), ("other", "0.3"), ("broken", "2.0")):
        info = root / f"{name}_dist-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Name: {name}-dist\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[srbench]\n{name} = {name}\n")
    sys.path.insert(0, str(root))
    importlib.invalidate_caches()
    host.cache_clear()
    registry.cache_clear()
    yield root
    sys.path.remove(str(root))
    for name in sources:
        sys.modules.pop(name, None)
    host.cache_clear()
    registry.cache_clear()


@pytest.fixture
def said(folder, monkeypatch, capsys):
    """`said("list", "--json")` → exit code, stdout, stderr."""
    monkeypatch.setenv("COLUMNS", "200")
    sys.modules.pop("heavy_module", None)
    for component in registry().all("model"):
        component.__dict__.pop("build", None)  # as in a new process

    def run(*arguments):
        code = srbench(["plugins", *arguments], monkeypatch)
        out, err = capsys.readouterr()
        return code, out, err

    return run


def records(out):
    """Strict JSON: no NaN, no Infinity."""
    return json.loads(out, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))


def test_bare_is_list_and_what_is_broken_stands_there_with_its_cause(said):
    assert said() == said("list")
    code, out, err = said()
    assert code == 0
    lines = [line.rstrip().split(maxsplit=4) for line in out.splitlines()]
    assert ["model", "net", "good-dist", "1.2", "ok"] in lines
    assert ["plugin", "broken", "broken-dist", "2.0"] in [line[:4] for line in lines]
    assert "No module named 'nowhere_to_be_found'" in out
    assert "register takes no 'domian'. Did you mean 'domain'?" in out
    assert out.count("clash: say good-dist/edges or other-dist/edges") == 2
    told = [one.told({}) for one in registry().all("model")]
    assert all(f"{text}\n" in out for text in told if text)
    assert err == "What is not ok costs only its own names; everything else works.\n"


def test_one_kind_alone(said):
    code, out, err = said("list", "--kind", "dataset")
    assert code == 0
    assert {line.split()[0] for line in out.splitlines()} == {"kind", "dataset"}
    assert "srbench plugins list shows it all" in err
    code, _, err = said("list", "--kind", "datset")
    assert code == 2
    assert "There is no kind 'datset'. Did you mean 'dataset'?" in err


def test_records_have_all_that_was_registered_and_import_nothing(said, folder):
    code, out, _ = said("list", "--json")
    assert code == 0
    assert "heavy_module" not in sys.modules
    found = {(one["kind"], one["name"], one["distribution"]): one for one in records(out)}
    assert found["model", "net", "good-dist"] == {
        "kind": "model",
        "name": "net",
        "typed": "net",
        "distribution": "good-dist",
        "version": "1.2",
        "state": "ok",
        "plugin": "good",
        "entry_point": "good",
        "target": "heavy_module:Net",
        "source": str(folder / "heavy_module.py"),
        "checked": "",
        "registered": {
            "scales": [3],
            "channels": "rgb",
            "trainable": True,
            "size_multiple": "good:multiple",
            "tileable": True,
            "reader": None,
            "recipes": {"default": "good:recipe"},
            "terms": None,
        },
    }
    assert found["metric", "net", "good-dist"]["registered"]["bounds"] == [0, None]
    edges = found["loss", "edges", "good-dist"]
    assert (edges["typed"], edges["registered"]["domain"]) == ("good-dist/edges", "rgb")
    assert edges["source"] == str(folder / "good.py")
    assert found["plugin", "broken", "broken-dist"]["source"] == str(folder / "broken.py")
    refused = found["loss", "edgy", "other-dist"]
    assert refused["state"].startswith("refused")
    assert refused["registered"] == {}
    assert found["model", "ghost", "other-dist"]["source"] is None
    public = found["dataset", "set5", "srbench-harness"]
    assert public["registered"]["facts"] == "srbench_datasets.facts:SET5"
    assert {one["source"] for one in found.values() if one["kind"] == "model"} >= {
        str(module_file("srbench_lapsrn.network"))
    }


def test_what_was_checked_stands_in_the_list(said):
    (component,) = [one for one in registry().all("dataset") if one.name == "scans"]
    findings = [{"state": state} for state in ("passed", "failed", "skipped", "passed")]
    report = {"schema": SCHEMA, "version": "1.2", "source_sha256": source_sha256(component)}
    write_report(component, {**report, "findings": findings})
    _, out, _ = said("list", "--kind", "dataset")
    lines = {line.split()[1]: line.split() for line in out.splitlines()}
    assert lines["scans"] == ["dataset", "scans", "good-dist", "1.2", "ok", "2/3"]
    assert lines["folder"][-1] == "ok"


def test_freeze_names_every_distribution_once(said):
    code, out, err = said("list", "--freeze")
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert lines == sorted(lines)
    assert {"good-dist==1.2", "other-dist==0.3", "broken-dist==2.0"} < set(lines)
    assert lines.count(f"srbench-harness=={package.__version__}") == 1
    code, _, err = said("list", "--freeze", "--json")
    assert code == 2
    assert "--freeze is about distributions" in err


def test_the_damaged_metadata_of_one_package_is_told_once_and_costs_no_command(tmp_path):
    install(tmp_path, "fine-dist", {"fine_plugin": "from srbench.api import hookimpl\n"})
    damaged = tmp_path / "damaged-1.0.dist-info"
    damaged.mkdir()
    (damaged / "METADATA").write_text("Metadata-Version: 2.1\nName: damaged\nVersion: 1.0\n")
    (damaged / "entry_points.txt").write_bytes(b"\xff[srbench]")
    lines = [["list", "--json"], ["list", "--freeze"], ["show", "sample"]]
    told = say(tmp_path, [["plugins", *line] for line in lines], tmp_path)
    assert [one.code for one in told] == [0, 0, 0], told
    assert sum(one.err.count("The metadata of an installed package is damaged") for one in told) == 1
    assert "fine-dist==1.0" in told[1].out.splitlines()


def test_a_page_has_how_it_is_typed_its_parameters_its_words_and_its_place(said, folder):
    code, out, _ = said("show", "scans")
    assert code == 0
    assert "--dataset scans:root=…[,every=5,crop=none]" in out
    assert [line.split() for line in out.splitlines() if line.startswith(("root ", "crop "))] == [
        ["root", "Path", "needed"],
        ["crop", "int", "or", "none", "none"],
    ]
    line = GOOD.splitlines().index(next(one for one in GOOD.splitlines() if "def scans" in one)) + 1
    assert f"{folder / 'good.py'}:{line}" in out
    assert "good-dist 1.2" in out
    assert "good = good" in out


def test_a_name_that_two_plugins_claim_shows_both(said):
    code, out, _ = said("show", "edges")
    assert code == 0
    assert "--loss good-dist/edges[:power=1.0,pool=mean,plain=none]" in out
    assert "--loss other-dist/edges" in out
    assert "power: [of] the difference." in out  # no markup
    assert ["pool", "str", "mean", "mean,", "sum"] in [line.split() for line in out.splitlines()]
    assert ["plain", "text", "none"] in [line.split() for line in out.splitlines()]
    _, out, _ = said("show", "Other_Dist/edges", "--json")  # as pip takes it too
    (only,) = records(out)
    assert only["distribution"] == "other-dist"


def test_a_name_in_several_kinds_shows_all_with_what_is_true_at_their_defaults(said):
    code, out, _ = said("show", "net", "--json")
    assert code == 0
    model, metric = records(out)
    assert (model["kind"], metric["kind"]) == ("model", "metric")
    assert model["registered"]["size_multiple"] == 16
    assert model["registered"]["recipes"] == {"default": {"loss": "l1", "patch": 24}}
    assert model["parameters"] == [
        {"name": "features", "type": "int", "required": False, "default": "8", "values": []}
    ]
    assert model["doc"] == "A net."
    assert metric["registered"]["asks_for"] == ["sr", "hr"]
    _, out, _ = said("show", "net", "--kind", "metric")
    assert "bounds        0 to ∞" in out
    assert "model net" not in out


def test_what_cannot_be_imported_is_shown_with_its_cause_and_exit_code_1(said):
    code, out, _ = said("show", "ghost")
    assert code == 1
    assert "cannot be loaded from nowhere_at_all:build (ModuleNotFoundError" in out
    assert "scales" in out
    code, out, _ = said("show", "broken")
    assert code == 1
    assert "No module named 'nowhere_to_be_found'" in out


def test_an_unknown_name_is_met_with_the_nearest_of_any_kind(said):
    code, _, err = said("show", "charbonier")
    assert code == 2
    assert "Did you mean 'charbonnier'?" in err
    assert "A plugin did not load and may have it: broken of broken-dist" in err
    code, _, err = said("show", "psnr", "--kind", "loss")
    assert code == 2
    assert "No loss is named 'psnr'; there is a metric of that name." in err


@pytest.mark.parametrize("kind", KINDS)
def test_every_first_party_component_has_its_page(said, kind):
    for component in registry().all(kind):
        if component.plugin.dist == "srbench-harness" and component.name not in ("edges", "net"):
            code, out, _ = said("show", component.name, "--kind", kind, "--json")
            (page,) = records(out)
            assert code == 0
            assert page["doc"], component.name
            assert Path(page["source"]).is_file()
            assert page["line"] > 1


def test_types_read_as_they_are_typed():
    assert type_text(float | None) == "float or none"
    assert type_text(list[int]) == "list[int]"


@pytest.mark.parametrize(
    ("kind", "name", "cause"),
    [
        ("model", "lapsrn", "There is a model 'lapsrn' already, of srbench-harness."),
        ("loss", "edges", "There is a loss 'edges' already, of good-dist."),
        ("dataset", "good", "There is a plugin 'good' already, of good-dist"),
        ("model", "harness", f"srbench-harness {package.__version__} is installed already"),
        ("metric", "lone", "imported as srbench_lone, and a module of that name is there already"),
        ("model", "srbench-net", "begins with srbench, which the package gets by itself"),
        ("model", "My Net", "'My Net' cannot name a model. A name begins with a letter"),
        ("model", "net-", "cannot name a model"),
        ("model", "n" * 33, "32 characters at most"),
        ("modle", "mynet", "Did you mean 'model'?"),
        ("trainer", "mine", "There is no package for a 'trainer'"),
    ],
)
def test_new_refuses_what_is_no_name_or_is_taken(said, tmp_path, kind, name, cause):
    code, out, err = said("new", kind, name, "-o", str(tmp_path))
    assert (code, out) == (2, "")
    assert cause in err
    assert list(tmp_path.iterdir()) == []


def test_new_says_where_and_what_next_and_overwrites_nothing(said, tmp_path):
    code, out, err = said("new", "loss", "my_edges", "-o", str(tmp_path / "deep"))
    made = tmp_path / "deep" / "srbench-my-edges"
    assert (code, out) == (0, f"{made}\n")
    assert f"cd {made}" in err
    assert "srbench plugins check my_edges" in err
    (made / "README.md").write_text("mine")
    code, _, err = said("new", "model", "my-edges", "-o", str(tmp_path / "deep"))
    assert code == 2
    assert f"{made} is there already, and nothing is overwritten." in err
    assert (made / "README.md").read_text() == "mine"
    assert not (made / "srbench_my_edges" / "network.py").exists()
    code, _, err = said("new", "model", "third", "-o", str(made / "README.md"))
    assert code == 1
    assert "README.md/srbench-third cannot be written (Not a directory)" in err


def test_help_names_every_kind(said):
    _, out, _ = said("list", "--help")
    assert all(kind in out for kind in KINDS)
    _, out, _ = said("new", "--help")
    assert all(kind in out for kind in TEMPLATES)
