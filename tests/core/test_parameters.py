"""Parameters are checked against a signature: converted, filled in, or refused in helpful words."""

from pathlib import Path
from typing import Literal

import pytest

from srbench.errors import UsageError
from srbench.parameters import called_with, checked, is_path, parameters_of


def build(
    planes: int,
    depth: int = 10,
    eps: float = 1e-3,
    reduction: Literal["mean", "sum"] = "mean",
    root: Path | None = None,
    deep: bool = False,
) -> None:
    """A builder with one parameter of each type that components use."""


PARAMETERS = parameters_of(build, {"planes"})


def test_defaults_are_filled_in_and_text_is_converted():
    settings = checked("Model 'm'", PARAMETERS, {"depth": "5", "eps": "1e-6", "deep": "true", "root": "a/b"})
    assert settings == {"depth": 5, "eps": 1e-6, "reduction": "mean", "root": Path("a/b"), "deep": True}


def test_none_switches_an_optional_parameter_off():
    assert checked("Model 'm'", PARAMETERS, {"root": "none"})["root"] is None


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"dept": "5"}, r"Model 'm' has no parameter 'dept'. Did you mean 'depth'\? It takes: depth, eps"),
        ({"depth": "deep"}, "cannot take depth=deep: .*valid integer.* It wants int"),
        ({"reduction": "max"}, "It wants one of mean, sum"),
        ({"planes": "3"}, "has no parameter 'planes'"),
    ],
)
def test_mistakes_are_named(typed, words):
    with pytest.raises(UsageError, match=words):
        checked("Model 'm'", PARAMETERS, typed)


def test_a_missing_value_is_asked_for():
    with pytest.raises(UsageError, match="needs a value for 'planes'"):
        checked("Model 'm'", parameters_of(build), {})


def test_paths_are_known_by_their_annotation():
    assert [name for name, parameter in PARAMETERS.items() if is_path(parameter)] == ["root"]


def test_arguments_are_passed_by_the_names_a_function_asks_for():
    available = {"sr": 1, "hr": 2, "lr": 3}
    assert called_with(lambda hr, sr: None, available) == {"hr": 2, "sr": 1}
    assert called_with(lambda **everything: None, available) == available
    with pytest.raises(UsageError, match="asks for 'step', which is none of sr, hr, lr"):
        called_with(lambda sr, step: None, available)


def test_an_annotation_that_is_no_type_is_told_of():
    def odd(one: "no.such", two: "no such" = 1, three: slice | None = None):  # noqa: F722, F821
        """With three that no text can be made into."""

    for name in parameters_of(odd):
        with pytest.raises(UsageError, match=f"cannot take {name}=3: its annotation .* is no type"):
            checked("Model 'm'", {name: parameters_of(odd)[name]}, {name: "3"})
