"""Which plugins are loaded: what the environment and the global options say, for every process alike."""

import importlib.metadata
import logging
import sys

import pytest
from installed import environment_with, install, say
from small import picture_folder, small_arguments

from srbench import selection
from srbench.errors import UsageError
from srbench.plugins import PluginHost, host
from srbench.prove.sitting import sit
from srbench.registry import Registry
from srbench.selection import Selection

HOOK = "from srbench.api import hookimpl\n\n@hookimpl\n"


def loss(name: str, target: str = "'x:y'") -> str:
    return f"{HOOK}def register_losses(register):\n    register({name!r}, {target})\n"


@pytest.fixture
def points(tmp_path, monkeypatch):
    """Three plugins in two distributions, as installed."""
    install(
        tmp_path, "first-dist", {"first_a": loss("a"), "first_b": loss("b")}, "a = first_a", "b = first_b"
    )
    install(tmp_path, "second", {"second_a": loss("c")}, "a = second_a")
    monkeypatch.syspath_prepend(tmp_path)
    found = importlib.metadata.entry_points(group="srbench")
    return [point for point in found if point.dist.name in ("first-dist", "second")]


@pytest.mark.parametrize(
    ("chosen", "names"),
    [
        (Selection(), {"first-dist/a", "first-dist/b", "second/a"}),
        (Selection(without=("b",)), {"first-dist/a", "second/a"}),
        (Selection(without=("First_Dist",)), {"second/a"}),
        (Selection(without=("first-dist/a",)), {"first-dist/b", "second/a"}),
        (Selection(only=("second",)), {"second/a"}),
        (Selection(only=("first-dist",), without=("b",)), {"first-dist/a"}),
        (Selection(only=("b", "second/a")), {"first-dist/b", "second/a"}),
    ],
)
def test_plugins_are_chosen_by_name_by_distribution_or_by_both(points, chosen, names):
    found = PluginHost(())
    found.load(points, chosen)
    assert {f"{one.dist}/{one.name}" for one in found.plugins} == names
    assert len(found.left_out) == 3 - len(names)
    if found.left_out:
        with pytest.raises(UsageError, match="Left out, as was asked for: .* of "):
            Registry(found).find("loss", "unknown")


def test_a_name_that_means_nothing_or_several_plugins_is_warned_of(points, caplog):
    logging.getLogger("srbench").propagate = True
    PluginHost(()).load(points, Selection(without=("secnd",), only=("a",)))
    assert (
        "names 'secnd', which is no plugin here and no distribution of one. Did you mean 'second'?"
        in caplog.text
    )
    assert "SRBENCH_PLUGINS names 'a', which means all of first-dist/a, second/a" in caplog.text
    caplog.clear()
    PluginHost(()).load(points, Selection(without=("b", "second", "second/a")))
    assert not caplog.text


def test_options_join_the_environment(monkeypatch, tmp_path):
    (tmp_path / "mine.py").touch()
    for name in (selection.ONLY, selection.WITHOUT, selection.FILES, selection.FOLDERS, selection.STRICT):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv(selection.WITHOUT, "a, b")
    monkeypatch.chdir(tmp_path)
    selection.add_without(["b,c"])
    selection.add_files([tmp_path / "mine.py"])
    selection.add_folders([tmp_path])
    selection.be_strict()
    monkeypatch.chdir("/")
    assert Selection.from_environment() == Selection(
        None, ("a", "b", "c"), (tmp_path / "mine.py",), strict=True
    )  # the file is in the folder too, and is one plugin


@pytest.mark.parametrize(
    ("add", "name"), [("add_files", "gone.py"), ("add_files", "text.txt"), ("add_folders", "gone")]
)
def test_a_file_or_folder_that_is_not_there_is_wrong_usage(add, name, tmp_path, monkeypatch):
    (tmp_path / "text.txt").touch()
    monkeypatch.setenv(selection.FILES, "")
    with pytest.raises(UsageError, match=name):
        getattr(selection, add)([tmp_path / name])


@pytest.fixture
def folder(tmp_path):
    """Files as users have them: plugins, what is none, what is broken, and names that others have."""
    texts = {
        "lone.py": loss("lone", "'lone:build'") + "\n\ndef build():\n    return 7\n",
        "packed/__init__.py": loss("packed"),
        "_hidden.py": loss("hidden"),
        ".dotted.py": loss("dotted"),
        "no-module.py": loss("unnamed"),
        "json.py": loss("shadow"),
        "broken.py": "import nowhere_to_be_found\n",
        "data/notes.txt": "",
    }
    for name, text in texts.items():
        (tmp_path / "plugins" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "plugins" / name).write_text(text)
    return tmp_path / "plugins"


def test_every_file_and_package_of_a_folder_is_a_plugin_and_hides_nothing(folder, monkeypatch, caplog):
    """In a process of its own would be nearer to life, and take longer."""
    logging.getLogger("srbench").propagate = True
    before = sys.path[:]
    monkeypatch.setattr(sys, "path", before[:])
    monkeypatch.setenv(selection.FOLDERS, str(folder))
    found = PluginHost(())
    found.load((), Selection.from_environment())
    assert sys.path == [*before, str(folder)]
    errors = {(one.name, one.dist, one.version): one.error for one in found.plugins}
    assert errors[("lone", "lone.py", "local")] is None
    assert errors[("packed", "packed", "local")] is None
    assert "another module is called 'json'" in errors[("json", "json.py", "local")]
    assert "rename json.py" in errors[("json", "json.py", "local")]
    assert "is no name of a module: rename no-module.py" in errors[("no-module", "no-module.py", "local")]
    assert "install nowhere_to_be_found, which broken.py imports" in errors[("broken", "broken.py", "local")]
    assert len(errors) == 5
    assert f"The plugin {folder / 'broken.py'} did not load: ModuleNotFoundError" in caplog.text
    lone = Registry(found).find("loss", "lone.py/lone")
    assert lone.make() == 7
    for name in ("lone", "packed"):
        del sys.modules[name]


def test_the_options_in_a_process_of_their_own(folder, tmp_path):
    """Exit codes, the allow-list, and that --strict-plugins lets a sound selection pass."""
    lone = str(folder / "lone.py")
    lines = [
        ["--plugin", lone, "--strict-plugins", "plugins"],
        ["--plugin", str(folder / "gone.py"), "runs"],
        ["--plugins-dir", str(folder / "gone"), "runs"],
    ]
    strict, gone, nowhere = say(tmp_path, lines, tmp_path)
    assert strict.code == 0, strict.err
    assert "lone.py" in strict.out
    assert (gone.code, nowhere.code) == (2, 2)
    assert "is no Python file" in gone.err
    assert "is no folder" in nowhere.err
    (alone,) = say(
        tmp_path, [["--plugin", lone, "plugins"]], tmp_path, SRBENCH_PLUGINS="srbench-harness/losses"
    )
    assert alone.code == 0
    assert all(f" {name} " in alone.out for name in ("psnr", "charbonnier", "lone"))
    assert " lapsrn " not in alone.out


def test_a_file_of_the_user_s_trains_in_all_processes_of_a_run(tmp_path):
    """The ones that --processes starts load it too, and so do those of srbench prove-resume."""
    plugin = tmp_path / "lone.py"
    plugin.write_text(
        loss("lone", "'lone:build'")
        + "\n\nprint('LOADED')\n\n\ndef build():\n    return lambda sr, hr: (sr - hr).abs().mean()\n"
    )
    run = small_arguments(picture_folder(tmp_path / "pictures"), tmp_path / "results", "--processes", "2")
    run[run.index("charbonnier")] = "lone"
    (found,) = say(tmp_path / "empty", [["--plugin", str(plugin), *run]], tmp_path)
    assert found.code == 0, found.err
    assert "of 2 runs are trained" in found.err


def test_the_children_of_prove_resume_load_the_same_files(tmp_path, monkeypatch):
    plugin = tmp_path / "lone.py"
    plugin.write_text(loss("lone") + "\n\nprint('LOADED')\n")
    for name, value in environment_with(tmp_path, SRBENCH_PLUGIN_FILES=str(plugin)).items():
        monkeypatch.setenv(name, value)
    sitting = sit(["plugins"], lambda: None)
    assert (sitting.code, "LOADED" in sitting.said) == (0, True)


def test_the_core_s_own_cannot_be_left_out(monkeypatch):
    monkeypatch.setenv(selection.WITHOUT, "builtin,srbench-harness")
    host.cache_clear()
    try:
        assert [plugin.name for plugin in host().plugins if plugin.dist == "srbench-harness"] == ["builtin"]
    finally:
        host.cache_clear()
