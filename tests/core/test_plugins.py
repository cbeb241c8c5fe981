"""Plugins load one by one; what is broken is a row with its cause and costs only its own names."""

import importlib.metadata
import logging
import sys
import types

import pytest
import torch

from srbench import builtin
from srbench.api import hookimpl
from srbench.errors import PluginError, StoppedError, UsageError
from srbench.plugins import Plugin, PluginHost
from srbench.registry import Registry, registry
from srbench.selection import Selection

GOOD = Plugin("good", "good-dist", "1.0")
OTHER = Plugin("other", "other-dist", "3")
HOOK = "from srbench.api import hookimpl\n@hookimpl\n"


def module(**members):
    made = types.ModuleType("made")
    for name, member in members.items():
        setattr(made, name, member)
    return made


def host_of(*plugins):
    host = PluginHost(())
    host.add(builtin, Plugin("builtin", "srbench-harness", "1"))
    for plugin, made in plugins:
        host.add(made, plugin)
    return host


def loss_plugin(*names):
    @hookimpl
    def register_losses(register):
        for name in names:
            register(name, lambda: None)

    return module(register_losses=register_losses)


def test_first_party_plugins_are_found_by_entry_point():
    for kind, name in [
        ("model", "lapsrn"),
        ("loss", "charbonnier"),
        ("dataset", "sample"),
        ("metric", "lpips"),
    ]:
        assert registry().find(kind, name).plugin.dist == "srbench-harness"


def test_an_unknown_name_is_met_with_the_nearest_one():
    with pytest.raises(UsageError, match="No model named 'lapsm'. Did you mean 'lapsrn'"):
        registry().find("model", "lapsm")


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("import nowhere_to_be_found", "ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
        ("raise SystemExit('bye')", "SystemExit: bye"),
        ("def broken(:", "SyntaxError"),
        ("class Odd(BaseException): ...\nraise Odd('no Exception')", "Odd: no Exception"),
        (HOOK + "def register_loses(register): ...",
         "'register_loses' is no hook of srbench. Did you mean 'register_losses'?"),
        (HOOK + "def checkpoint_saved(run, stp): ...",
         "checkpoint_saved asks for 'stp', which checkpoint_saved does not give. Did you mean 'step'? "
         "It gives: run, step"),
        (HOOK + "def register_losses(): ...", "register_losses takes no argument 'register'"),
        (HOOK + "def run_started(): ...\ndef register_losses(register): ...",
         "register_losses has no @hookimpl above it"),
        ("edges = 3", "it has no function with @hookimpl above it"),
        (HOOK + "def run_started(): ...\nSRBENCH_API = 2",
         "is written for version 2 of srbench.api, and this srbench has 1: update srbench-harness"),
        (HOOK + "def run_started(): ...\nSRBENCH_API = 0", "which knows those from 1 on: update the plugin"),
        (HOOK + "def run_started(): ...\nSRBENCH_API = '1'", "SRBENCH_API is a whole number such as 1"),
        ("import srbench.nothing", "of srbench, plugins import srbench.api alone"),
        ("import nowhere_to_be_found.deep", "install nowhere_to_be_found, which ? imports"),
    ],
)  # fmt: skip
def test_a_plugin_that_does_not_load_is_listed_with_its_cause(text, cause, tmp_path, monkeypatch):
    (tmp_path / "broken_plugin.py").write_text(text)
    monkeypatch.delitem(sys.modules, "broken_plugin", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    host = PluginHost([importlib.metadata.EntryPoint("broken", "broken_plugin", "srbench")])
    host.add(loss_plugin("fine"), GOOD)
    broken, good = host.plugins
    assert cause in (broken.error or "")
    assert good.error is None
    rows = Registry(host).rows()
    assert [row.name for row in rows if row.state == "ok"] == ["fine"]
    assert [row.state for row in rows if row.name == "broken"] == [f"failed: {broken.error}"]
    with pytest.raises(UsageError, match="A plugin did not load and may have it: broken"):
        Registry(host).find("loss", "other")


@pytest.mark.parametrize("raised", [RuntimeError, SystemExit, GeneratorExit])
def test_a_registration_that_raises_half_way_leaves_nothing_of_its_plugin(raised):
    """Neither what it had named of another kind, nor its events."""
    heard = []

    @hookimpl
    def register_losses(register):
        register("half", lambda: None)
        register("two words", lambda: None)

    @hookimpl
    def register_degradations(register):
        register("late", lambda: None)
        raise raised("out of ideas")

    @hookimpl
    def checkpoint_saved(step):
        heard.append(step)

    made = module(
        register_losses=register_losses,
        register_degradations=register_degradations,
        checkpoint_saved=checkpoint_saved,
    )
    host = host_of((Plugin("bad", "bad-dist", "2.0"), made), (GOOD, loss_plugin("fine")))
    found = Registry(host)
    assert found.names("loss") == ["fine"]
    assert "late" not in found.names("degradation")
    (row,) = [row for row in found.rows() if row.dist == "bad-dist"]
    assert row.state.startswith(f"failed: {raised.__name__}: out of ideas")
    host.emit("checkpoint_saved", run=None, step=7)
    assert heard == []


def test_a_request_to_stop_is_no_fault_of_the_plugin_that_was_loading():
    def stopped():
        raise StoppedError("Stopped on SIGTERM.")

    host = host_of()
    with pytest.raises(StoppedError):
        host.load([types.SimpleNamespace(name="x", value="x", dist=None, load=stopped)], Selection())
    assert [plugin.name for plugin in host.plugins] == ["builtin"]


@pytest.mark.parametrize(
    ("arguments", "options", "cause"),
    [
        (("two words", len), {}, "must be one word"),
        (("name", 3), {}, "neither a callable nor an import string"),
        (("name", len), {"domian": "rgb"}, "register takes no 'domian'. Did you mean 'domain'?"),
        (("name", len), {"domain": "both"}, "neither 'plane' nor 'rgb'"),
        (("2x", len), {}, "a letter or _ first"),
        (("kept", len), {}, "this plugin has given that name before"),
    ],
)
def test_a_bad_entry_is_refused_by_name_and_the_others_stay(arguments, options, cause):
    @hookimpl
    def register_losses(register):
        register("kept", lambda: None)
        register(*arguments, **options)
        register("fine", lambda: None)

    found = Registry(host_of((GOOD, module(register_losses=register_losses))))
    assert found.names("loss") == ["fine", "kept"]
    assert found.find("loss", "kept").target is not len
    assert any(cause in row.state for row in found.rows())


def test_a_margin_is_for_stochastic_degradations():
    @hookimpl
    def register_degradations(register):
        register("wide", len, margin=4)
        register("random", lambda most=1: lambda hr, scale, seeds: hr, stochastic=True, margin=5)
        register("asks", lambda most=1: len, stochastic=True, margin=lambda scale, most: scale * most + 1)

    found = Registry(host_of((GOOD, module(register_degradations=register_degradations))))
    assert {"asks", "random"} <= set(found.names("degradation"))
    assert "wide" not in found.names("degradation")
    assert any("stochastic=True" in row.state for row in found.rows())
    assert found.find("degradation", "random").make(most=1).margin(4) == 8
    assert found.find("degradation", "asks").make(most=3).margin(4) == 16


def test_two_plugins_with_one_name_are_told_apart_by_their_distribution():
    found = Registry(host_of((OTHER, loss_plugin("mine")), (GOOD, loss_plugin("mine"))))
    for refuse in (found.find, found.check_typed):
        with pytest.raises(UsageError, match="good-dist/mine and other-dist/mine.*--no-plugin"):
            refuse("loss", "mine")
    mine = found.find("loss", "Other_Dist/mine")  # as indexes compare names
    assert mine.plugin.version == "3"
    assert found.spelling(mine) == found.typing(mine) == "other-dist/mine"
    assert [row.state for row in found.rows() if row.kind == "loss"] == [
        "clash: say good-dist/mine or other-dist/mine"
    ] * 2
    with pytest.raises(
        UsageError, match="No loss named 'third/mine'. There is other-dist/mine and good-dist/mine"
    ):
        found.find("loss", "third/mine")


def test_what_srbench_itself_names_stays_its_own_whoever_claims_the_name():
    @hookimpl
    def register_metrics(register):
        register("psnr", lambda sr: sr, better="lower")

    found = Registry(host_of((GOOD, module(register_metrics=register_metrics))))
    own = found.find("metric", "psnr")
    assert (own.plugin.dist, found.spelling(own)) == ("srbench-harness", "psnr")
    with pytest.raises(UsageError, match="Two plugins name a metric 'psnr'.*--no-plugin good-dist"):
        found.check_typed("metric", "psnr")
    found.check_typed("metric", "srbench-harness/psnr")
    found.check_typed("metric", "ssim")
    assert found.spelling(found.find("metric", "good-dist/psnr")) == "good-dist/psnr"


def test_a_loss_and_a_trainer_of_one_name_clash_too():
    @hookimpl
    def register_trainers(register):
        register("flow", lambda: None)

    trainer = module(register_trainers=register_trainers)
    found = Registry(host_of((GOOD, loss_plugin("flow")), (OTHER, trainer)))
    for refuse in (found.find_loss, lambda name: found.check_typed("loss", name)):
        with pytest.raises(UsageError, match="good-dist/flow and other-dist/flow"):
            refuse("flow")
    assert found.find_loss("other-dist/flow").kind == "trainer"
    assert found.find("trainer", "flow").plugin == OTHER  # of a stored run, which knows the kind


def test_two_plugins_of_one_distribution_with_one_name_are_told_apart_by_leaving_one_out():
    twin = Plugin("twin", "good-dist", "1.0")
    found = Registry(host_of((GOOD, loss_plugin("mine")), (twin, loss_plugin("mine"))))
    with pytest.raises(
        UsageError, match="good of good-dist and twin of good-dist. Leave one out: srbench --no-p"
    ):
        found.find("loss", "good-dist/mine")


def test_one_module_is_loaded_once_whatever_names_it():
    made = loss_plugin("mine")
    host = host_of((GOOD, made), (OTHER, made))
    assert [plugin.error for plugin in host.plugins] == [
        None, None, "its module is that of good-dist/good and is loaded once"
    ]  # fmt: skip
    assert Registry(host).find("loss", "mine").plugin == GOOD


def test_a_model_says_by_its_settings_how_it_is_padded_trained_and_told_of():
    """Each is a function that asks by name; what it refuses, or cannot be imported, is a sentence."""

    def recipe(scale, width):
        if width > 8:
            raise ValueError("width is at most 8")
        return {"patch": scale * width}

    @hookimpl
    def register_models(register):
        register(
            "made",
            lambda planes, scale, width=4: None,
            size_multiple=lambda width: 2 * width,
            tileable=lambda width: width < 8,
            recipes={"default": recipe, "plain": {"patch": 48}},
            terms=lambda scale=4, width=0: f"width {width} at ×{scale}",
        )
        register("lost", lambda planes, scale: None, terms="nowhere_to_be_found:terms")
        register("half", lambda planes, scale: None, size_multiple=1.5)
        register("perhaps", lambda planes, scale: None, tileable="no")

    made = Registry(host_of((GOOD, module(register_models=register_models))))
    model = made.find("model", "made")
    assert model.padded_to({"width": 4}) == 8
    assert (model.sees_tiles({"width": 4}), model.sees_tiles({"width": 8})) == (True, False)
    assert [(row.name, row.state.partition(" must be ")[0]) for row in made.refused] == [
        ("half", "refused: size_multiple"),
        ("perhaps", "refused: tileable"),
    ]
    assert model.recipe("default", {"width": 4}, 3) == {"patch": 12}
    assert model.recipe("plain", {"width": 4}, 3) == {"patch": 48}
    assert (model.told({}), model.told({"width": 4, "scale": 2})) == ("width 0 at ×4", "width 4 at ×2")
    with pytest.raises(UsageError, match="Model 'made' cannot be built: width is at most 8."):
        model.recipe("default", {"width": 9}, 3)
    with pytest.raises(
        UsageError, match="'lost' of good-dist says of itself cannot be loaded from nowhere_to"
    ):
        made.find("model", "lost").told({})


def test_what_does_not_fit_into_memory_is_no_fault_of_a_plugin():
    @hookimpl
    def register_models(register):
        register("made", lambda planes, scale, width=4: torch.empty(planes, width))
        register("greedy", lambda planes, scale: (_ for _ in ()).throw(MemoryError))

    made = Registry(host_of((GOOD, module(register_models=register_models))))
    for name, settings in (
        ("made", {"width": 1 << 50}),
        ("made", {"width": 1 << 62}),
        ("made", {"width": 10**20}),
        ("greedy", {}),
    ):
        with pytest.raises(UsageError, match=f"Model '{name}' does not fit into memory with these settings"):
            made.find("model", name).make(planes=3, scale=2, **settings)
    with pytest.raises(PluginError, match="cannot be built"):
        made.find("model", "made").make(planes=3, scale=2, width="wide")


def test_a_component_that_cannot_be_imported_says_so_when_it_is_used():
    @hookimpl
    def register_models(register):
        register("ghost", "nowhere_at_all:build", scales=(2,))

    found = Registry(host_of((GOOD, module(register_models=register_models))))
    assert found.names("model") == ["ghost"]
    with pytest.raises(
        UsageError, match="model 'ghost' of good-dist cannot be loaded from nowhere_at_all:build"
    ):
        _ = found.find("model", "ghost").build


@pytest.mark.parametrize("target", [dict, "srbench.plugins:GROUP"])
def test_a_target_that_says_nothing_of_what_it_takes_is_told_of(target):
    @hookimpl
    def register_losses(register):
        register("odd", target)

    odd = Registry(host_of((GOOD, module(register_losses=register_losses)))).find("loss", "odd")
    said = "of good-dist does not say what it takes" if callable(target) else "nothing that can be called"
    with pytest.raises(UsageError, match=said):
        odd.settings({})
    with pytest.raises(UsageError, match=said):
        odd.asks("scale")


def test_a_builder_that_fails_is_told_of_with_its_distribution_and_what_it_prints_goes_to_stderr(capsys):
    def broken(how: str = "odd"):
        sys.stdout.write("building\n")
        raise (ValueError if how == "value" else KeyError)(how)

    @hookimpl
    def register_losses(register):
        register("broken", broken)

    loss = Registry(host_of((GOOD, module(register_losses=register_losses)))).find("loss", "broken")
    with pytest.raises(PluginError, match="Loss 'broken' of good-dist cannot be built: KeyError: 'odd'"):
        loss.make(how="odd")
    with pytest.raises(UsageError, match="Loss 'broken' cannot be built: value."):
        loss.make(how="value")
    out, err = capsys.readouterr()
    assert (out, err) == ("", "building\nbuilding\n")


def test_an_event_hook_that_raises_is_reported_and_stops_nothing(caplog):
    seen = []

    @hookimpl
    def checkpoint_saved(run, step):
        raise ValueError("disk on fire")

    @hookimpl(specname="checkpoint_saved")
    def noted(step):
        seen.append(step)

    host = host_of((Plugin("bad", "bad-dist", "1"), module(checkpoint_saved=checkpoint_saved)),
                   (GOOD, module(noted=noted)))  # fmt: skip
    logging.getLogger("srbench").propagate = True
    host.emit("checkpoint_saved", run=None, step=7)
    assert seen == [7]
    assert "checkpoint_saved of plugin bad (bad-dist) failed (ValueError: disk on fire)." in caplog.text


@pytest.mark.parametrize("as_text", [False, True])
def test_a_metric_may_have_a_direction_that_depends_on_its_settings(as_text, monkeypatch):
    def direction(name: str):
        return {"error": "lower", "likeness": "higher"}.get(name, "sideways")

    @hookimpl
    def register_metrics(register):
        target = "srbench_test_directions:direction" if as_text else direction
        register("any", lambda sr, name: sr, better=target)

    monkeypatch.setitem(sys.modules, "srbench_test_directions", module(direction=direction))
    metric = Registry(host_of((GOOD, module(register_metrics=register_metrics)))).find("metric", "any")
    assert metric.direction({"name": "error"}) == "lower"
    assert metric.direction({"name": "likeness"}) == "higher"
    with pytest.raises(
        UsageError, match="says 'sideways' is better, which is none of higher, lower, neither"
    ):
        metric.direction({"name": "other"})
