"""What a plugin registers: an option that cannot be is refused; a function that fails says whose it is."""

from pathlib import Path

import pytest
from promised import made

from srbench.errors import PluginError, UsageError


def build(**settings):
    """A component of any kind."""


def failing():
    """A function that a component is registered with."""
    raise KeyError("gone")


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        ("metric", {"planes": "rgby"}, "unknown plane 'rgby'"),
        ("metric", {"planes": ["y", "rgb"]}, r"any of r, g, b, y, or rgb alone, not \['y', 'rgb'\]"),
        ("metric", {"planes": []}, r"any of r, g, b, y, or rgb alone, not \[\]"),
        ("metric", {"planes": ["x"]}, "unknown plane 'x'"),
        ("loss", {"laws": "zero"}, "laws are a list"),
        ("loss", {"scales": "first"}, "scales 'first' is neither 'all' nor 'last'"),
        ("model", {"scales": 4}, "scales are whole numbers from 2"),
        ("model", {"scales": []}, "scales are whole numbers from 2"),
        ("model", {"scales": [2.0]}, "scales are whole numbers from 2"),
        ("model", {"scales": [1, 2]}, "scales are whole numbers from 2"),
    ],
)
def test_an_option_that_cannot_be_is_refused_when_it_is_registered(kind, options, said):
    better = {"better": "lower"} if kind == "metric" else {}
    with pytest.raises(ValueError, match=said):
        made(kind, build, **better, **options)


def test_options_that_can_be_are_taken():
    assert made("metric", build, better="lower", planes=["y", "r"]).component.planes == ("y", "r")
    alone = made("metric", build, better="lower", planes="rgb", shows="net").component
    assert (alone.planes, alone.shows) == (("rgb",), ("net",))
    assert made("model", build, scales=range(2, 5)).component.scales == (2, 3, 4)
    assert made("model", build, scales=None).component.scales is None


@pytest.mark.parametrize(
    ("kind", "option", "ask"),
    [
        ("metric", "facts", lambda one: one.read_facts({})),
        ("metric", "better", lambda one: one.direction({})),
        ("loss", "facts", lambda one: one.read_facts({})),
        ("model", "size_multiple", lambda one: one.padded_to({})),
        ("degradation", "margin", lambda one: one.make().margin(2)),
    ],
)
def test_a_function_that_cannot_be_called_is_one_sentence_that_names_the_plugin(kind, option, ask):
    options = {"better": "lower"} if kind == "metric" else {}
    options |= {"stochastic": True} if kind == "degradation" else {}
    with pytest.raises(UsageError, match=r"of test-dist .* cannot be loaded from nowhere:at_all"):
        ask(made(kind, build, **{**options, option: "nowhere:at_all"}).component)
    with pytest.raises(PluginError, match=r"of test-dist cannot say how it is used: KeyError: 'gone'"):
        ask(made(kind, build, **{**options, option: failing}).component)


@pytest.mark.parametrize(
    ("raised", "kind", "said"),
    [
        (KeyError("layer 3"), PluginError, r"of test-dist cannot read net\.mat: KeyError: 'layer 3'"),
        (
            ValueError("it is empty"),
            UsageError,
            r"net\.mat cannot be read as weights of 'made': it is empty\.",
        ),
        (PermissionError("denied"), UsageError, r"net\.mat cannot be read as weights of 'made': denied\."),
    ],
)
def test_a_reader_that_fails_is_one_sentence_with_the_file(raised, kind, said):
    def read(path, scale):
        raise raised

    with pytest.raises(kind, match=said):
        made("model", build, reader=read).component.read(Path("net.mat"), {"scale": 2, "planes": 1})


@pytest.mark.parametrize("kind", ["metric", "loss"])
def test_facts_that_are_none_are_a_fault_of_the_plugin(kind):
    options = {"better": "lower"} if kind == "metric" else {}
    with pytest.raises(PluginError, match="gives its facts as list, and they are a dict"):
        made(kind, build, facts=lambda: [], **options).component.read_facts({})
