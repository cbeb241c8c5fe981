"""`srbench plugins check`: what it checks, what it says, its exit codes, its reports and the badge."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from small import srbench
from torch import nn

from srbench import badges
from srbench.badges import badge, read_report
from srbench.components import KINDS
from srbench.registry import registry
from srbench.testing import conformance
from srbench.testing.conformance import Check, NotDemanded, checks_of, promises_of
from srbench.testing.registration import Registration


class Upsample(nn.Upsample):
    """Repeated pixels."""

    def __init__(self, planes, scale):
        super().__init__(scale_factor=scale)


class Stretched(Upsample):
    """Too wide."""

    def forward(self, lr):
        sr = super().forward(lr)
        return nn.functional.pad(sr, (0, 1))


@pytest.fixture
def register():
    with Registration() as registration:
        yield registration


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SRBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def check(monkeypatch, *arguments):
    return srbench(["plugins", "check", *arguments], monkeypatch)


def test_a_component_that_keeps_its_promises_gets_a_badge(register, monkeypatch, capsys):
    register("model", "repeated", Upsample, trainable=False)
    assert badge(registry().find("model", "repeated")) == ""
    assert check(monkeypatch, "repeated") == 0
    out = capsys.readouterr().out
    assert "model repeated of registered-for-a-test 0" in out
    assert "learns         skipped  It is registered with trainable=False." in out
    assert "11 of 11 promises kept; 7 not demanded." in out
    assert badge(registry().find("model", "repeated")) == "checked 11/11"


def test_a_failure_is_advice_and_exit_code_1(register, monkeypatch, capsys):
    register("model", "stretched", Stretched, trainable=False)
    assert check(monkeypatch, "stretched", "bicubic", "--kind", "model") == 1
    out = " ".join(capsys.readouterr().out.split())
    assert "shapes failed LR of 12×13 at ×2 gives SR (1, 3, 24, 27), and not (1, 3, 24, 26)." in out
    assert "model bicubic" in out  # the others are checked all the same
    assert badge(registry().find("model", "stretched")) == "checked 9/11"


def test_a_name_stands_for_all_kinds_that_have_it(register, monkeypatch, capsys):
    register("model", "twofold", Upsample, trainable=False)
    register("trainer", "twofold", lambda: None)
    assert check(monkeypatch, "twofold", "--json") == 1
    reports = json.loads(capsys.readouterr().out)
    assert [(one["kind"], one["passed"]) for one in reports] == [("model", True), ("trainer", False)]
    assert check(monkeypatch, "twofold", "--kind", "model") == 0


def test_what_is_printed_for_scripts_is_what_is_kept(register, monkeypatch, capsys):
    register("model", "repeated", Upsample, trainable=False)
    assert check(monkeypatch, "repeated", "--json") == 0
    (made,) = json.loads(capsys.readouterr().out)
    assert read_report(registry().find("model", "repeated")) == made
    assert [one["check"] for one in made["findings"]] == list(promises_of("model"))


def test_where_nothing_is_demanded_nothing_is_shown(register, monkeypatch, capsys):
    def look(subject):
        raise NotDemanded("It never said so.")

    checks_of("model")
    monkeypatch.setitem(conformance._CHECKS, "model", [Check("only", "…", look)])
    register("model", "repeated", Upsample)
    assert check(monkeypatch, "repeated") == 1
    assert (
        "Nothing was demanded of it, so nothing is known: this counts as a failure."
        in capsys.readouterr().out
    )
    assert badge(registry().find("model", "repeated")) == "checked 0/0"


def test_without_names_the_plugins_of_others_are_checked(register, monkeypatch, capsys):
    assert check(monkeypatch) == 2
    assert "No plugin but srbench's own has anything to check." in capsys.readouterr().err

    def needy(planes, scale, width: int):
        """A network."""

    register("model", "repeated", Upsample, trainable=False)
    register("model", "needy", needy)
    assert check(monkeypatch, "--json") == 0
    said = capsys.readouterr()
    assert [one["name"] for one in json.loads(said.out)] == ["repeated"]
    assert (
        "The model needy is not checked: it needs a setting. Name it: srbench plugins check needy:width=…"
        in said.err
    )


def test_what_refuses_its_own_defaults_is_named_and_left_out(register, monkeypatch, capsys):
    def choosy(planes, scale, arch: str | None = None):
        """A network, once one is chosen."""
        if arch is None:
            raise ValueError("arch=… says which")
        return Upsample(planes, scale)

    def crashes(planes, scale):
        """No network."""
        raise RuntimeError("boom")

    register("model", "choosy", choosy, trainable=False)
    assert check(monkeypatch, "--json") == 2
    assert "Nothing was checked" in capsys.readouterr().err
    register("model", "repeated", Upsample, trainable=False)
    assert check(monkeypatch, "--json") == 0
    said = capsys.readouterr()
    assert [one["name"] for one in json.loads(said.out)] == ["repeated"]
    assert (
        "The model choosy is not checked: it refuses its own defaults (arch=… says which). Name what it "
        "takes: srbench plugins check choosy:…" in said.err
    )
    assert check(monkeypatch, "choosy") == 1  # named, it is held to all
    assert check(monkeypatch, "choosy:arch=any") == 0
    register("model", "crashes", crashes)
    assert check(monkeypatch, "--json") == 1


def test_a_name_that_two_plugins_claim_is_checked_once_it_is_said_whose(register, monkeypatch, capsys):
    register("trainer", "l1", lambda: None)  # losses and trainers have their names in common
    assert check(monkeypatch, "l1") == 2
    assert (
        "Say which one is meant: srbench-harness/l1 and registered-for-a-test/l1" in capsys.readouterr().err
    )
    register("trainer", "bicubic", lambda: None)  # another kind, of another plugin
    assert check(monkeypatch, "srbench-harness/bicubic", "--json") == 0
    reports = json.loads(capsys.readouterr().out)
    assert [(one["kind"], one["typed"]) for one in reports] == [
        ("model", "srbench-harness/bicubic"),
        ("degradation", "srbench-harness/bicubic"),
    ]


def test_what_cannot_be_loaded_has_failed(register, monkeypatch, capsys):
    register("model", "broken", "nowhere_at_all:build")
    assert check(monkeypatch, "broken") == 1
    assert "cannot be loaded from nowhere_at_all:build" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["lapsrm"], "Nothing is named 'lapsrm'. Did you mean 'lapsrn'?"),
        (["lapsrn", "--kind", "loss"], "No loss named 'lapsrn'."),
        (["lapsrn", "--all"], "--all is for everything there is. Leave it out, or the names."),
    ],
)
def test_what_cannot_be_is_said(monkeypatch, capsys, arguments, said):
    assert check(monkeypatch, *arguments) == 2
    assert said in capsys.readouterr().err


# Help


@pytest.mark.parametrize("kind", KINDS)
def test_help_says_what_the_checks_say_of_themselves(monkeypatch, capsys, kind):
    assert promises_of(kind) == {one.name: one.promise for one in checks_of(kind)}
    monkeypatch.setenv("COLUMNS", "200")
    assert check(monkeypatch, "--help") == 0
    shown = capsys.readouterr().out.partition(f"What is promised of a {kind}:\n")[2].partition("\n\n")[0]
    assert [tuple(line.strip().split("  ", 1)[0] for line in shown.splitlines())] == [
        tuple(promises_of(kind))
    ]
    assert all(promise and promise in shown for promise in promises_of(kind).values())


# The badge


@pytest.fixture
def package(tmp_path, monkeypatch, register):
    """A package with a model, on the import path."""
    (tmp_path / "badged").mkdir()
    for name, text in {
        "__init__": "",
        "network": Path(__file__).read_text().partition("class Stretched")[0],
    }.items():
        (tmp_path / "badged" / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    register("model", "badged", "badged.network:Upsample", trainable=False)
    badges._package_sha256.cache_clear()
    yield tmp_path / "badged"
    badges._package_sha256.cache_clear()
    for name in [name for name in sys.modules if name.split(".")[0] == "badged"]:
        del sys.modules[name]


def test_a_badge_is_gone_with_another_version(package, monkeypatch):
    assert check(monkeypatch, "badged") == 0
    component = registry().find("model", "badged")
    assert badge(component) == "checked 11/11"
    assert badge(replace(component, plugin=replace(component.plugin, version="1"))) == ""


def test_a_badge_is_gone_when_any_file_of_its_package_is_another(package, monkeypatch):
    assert check(monkeypatch, "badged") == 0
    component = registry().find("model", "badged")
    (package / "more.py").write_text("x = 1\n")
    badges._package_sha256.cache_clear()
    assert badge(component) == ""


@pytest.mark.parametrize("content", ["", "[]", "null", '{"schema": 1}', "{", '{"schema": 9, "findings": []}'])
def test_a_damaged_report_is_no_badge(register, monkeypatch, cache, content):
    register("model", "repeated", Upsample, trainable=False)
    assert check(monkeypatch, "repeated") == 0
    (file,) = cache.rglob("*.json")
    file.write_text(content)
    assert badge(registry().find("model", "repeated")) == ""
