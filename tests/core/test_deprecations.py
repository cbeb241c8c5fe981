"""What goes away warns first: whom, of what, until when, and what to use instead; and the table is true."""

import importlib
import re
import sys
import textwrap
import warnings
from pathlib import Path

import pytest
from installed import install, say

from srbench import __version__, api, deprecations
from srbench.api import hookimpl
from srbench.deprecations import HOOKS, NAMES, Deprecation
from srbench.faults import HOOKS as KNOWN
from srbench.plugins import Plugin, PluginHost
from srbench.registry import Registry

DOCS = Path(__file__).parents[2] / "docs" / "plugins" / "api.md"
OLD = Deprecation("0.9", "srbench.api.resize_bicubic", "srbench.images.resize:resize_bicubic")


@pytest.fixture(autouse=True)
def planted(monkeypatch):
    monkeypatch.setattr(deprecations, "_told", set())
    monkeypatch.setitem(NAMES, "enlarge", OLD)
    for what in ("run_finished", "run_started(evaluated)", "register_metrics(unit)"):
        monkeypatch.setitem(HOOKS, what, Deprecation("1.2", "something else"))


def messages(caught):
    return [str(one.message) for one in caught]


def test_a_name_still_works_and_says_once_who_asks_until_when_and_what_to_use(tmp_path, monkeypatch):
    install(tmp_path, "my-pictures", {"my_pictures": "from srbench.api import enlarge"})
    (tmp_path / "my_file.py").write_text("from srbench.api import enlarge\n")
    monkeypatch.syspath_prepend(tmp_path)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        made = [importlib.import_module(name) for name in ("my_pictures", "my_file")]
        importlib.reload(made[0])
    for one in made:
        assert one.enlarge is api.resize_bicubic
        del sys.modules[one.__name__]
    rest = " uses srbench.api.enlarge, which srbench 0.9 takes away. Use srbench.api.resize_bicubic."
    assert messages(caught) == [f"my-pictures{rest}", f"{tmp_path / 'my_file.py'}{rest}"]
    assert [one.filename for one in caught] == [str(tmp_path / f"{one.__name__}.py") for one in made]
    assert {one.category for one in caught} == {FutureWarning}


def test_hooks_their_arguments_and_those_of_register_warn_with_the_distribution():
    @hookimpl
    def run_finished(run, step):
        pass

    @hookimpl(specname="run_started")
    def began(run, evaluated):
        pass

    @hookimpl
    def register_metrics(register):
        register("one", lambda sr, hr: sr, better="higher", unit="dB")
        register("two", lambda sr, hr: sr, better="higher", unit="dB")

    module = type(sys)("mine")
    module.run_finished, module.began, module.register_metrics = run_finished, began, register_metrics
    host = PluginHost(())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        host.add(module, Plugin("mine", "my-dist", "1.0"))
        registry = Registry(host)
    assert registry.names("metric") == ["one", "two"]
    assert sorted(messages(caught)) == [
        f"my-dist uses {what}, which srbench 1.2 takes away. Use something else."
        for what in ("register_metrics(unit)", "run_finished", "run_started(evaluated)")
    ]
    assert {one.filename for one in caught} == {__file__}


def test_what_is_not_deprecated_warns_of_nothing():
    @hookimpl
    def run_started(run, step):
        pass

    module = type(sys)("mine")
    module.run_started = run_started
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        host = PluginHost(())
        host.add(module, Plugin("mine", "my-dist", "1.0"))
    assert host.plugins[0].error is None


def test_a_user_sees_it_and_the_command_does_its_work(tmp_path):
    """In a process of its own, where a module that is imported first plants a deprecation."""
    planting = """
        from srbench.deprecations import HOOKS, Deprecation
        HOOKS["run_failed"] = Deprecation("0.7", "run_stopped")
        from srbench.api import hookimpl
        @hookimpl
        def run_failed(run): ...
    """
    install(tmp_path, "my-log", {"my_log": textwrap.dedent(planting)})
    (said,) = say(tmp_path, [["plugins"]], tmp_path)
    assert said.code == 0
    assert said.err.count("my-log uses run_failed, which srbench 0.7 takes away. Use run_stopped.") == 1
    assert re.search("my-log +1.0 +ok", said.out)


def test_the_real_table_is_documented_and_nothing_in_it_is_overdue(monkeypatch):
    monkeypatch.undo()
    rows = DOCS.read_text(encoding="utf-8").partition("## Deprecations")[2]
    assert set(re.findall(r"^\| `([^`]+)` \|", rows, re.M)) == {*NAMES, *HOOKS}
    for what, one in {**NAMES, **HOOKS}.items():
        assert as_numbers(one.gone_in) > as_numbers(__version__), f"{what} was to be gone: take it away"
    assert not set(NAMES) & {*vars(api), *api._LAZY}, "a name that is still there is never asked of the table"
    assert all(one.moved_to for one in NAMES.values())
    assert {what.partition("(")[0] for what in HOOKS} <= set(KNOWN)


def as_numbers(version):
    return tuple(map(int, version.split(".")))
