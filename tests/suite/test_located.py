"""TOML with lines: the values are tomllib's, and a broken statement hides none that is sound."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srbench.suite.located import read_toml

SOUND = """\
# a comment
title = "x = [" # and another

[axes]
loss = [  # one line each
  "l1",
  "l2", "l3",  # two in one
  {name = "l4", weights = [1, 2]}
]
"quoted key" = '''
[not a table]
'''
seed.init = 1
seed.order = 2

[[when]]
scale = 4
[[when]]
[when.settings]
lr = 1e-3
"""


def test_values_are_those_of_tomllib_and_each_has_its_line():
    found = read_toml(SOUND)
    assert found.data == tomllib.loads(SOUND)
    assert not found.faults
    lines = SOUND.splitlines()
    for place, start in [
        (("title",), "title"), (("axes",), "[axes]"), (("axes", "loss"), "loss"),
        (("axes", "loss", 0), '  "l1"'), (("axes", "loss", 1), '  "l2"'), (("axes", "loss", 2), '  "l2"'),
        (("axes", "loss", 3), "  {name"), (("axes", "quoted key"), '"quoted'),
        (("axes", "seed", "order"), "seed.order"), (("when", 0, "scale"), "scale"),
        (("when", 1, "settings", "lr"), "lr"),
    ]:  # fmt: skip
        assert lines[found.line(place) - 1].startswith(start), place


def test_a_place_that_is_not_there_has_the_line_of_what_is_around_it():
    found = read_toml(SOUND)
    assert found.line(("axes", "loss", 9)) == found.line(("axes", "loss"))
    assert found.line(("nowhere",)) == 1


@given(st.integers(0, len(SOUND)), st.sampled_from(['"', "[", "]", "=", "{", "'''", "\n", "[[", "€", "\x00"]))
def test_any_damage_is_told_or_harmless_and_never_an_error_of_ours(at, put):
    """Whatever tomllib refuses has a fault; whatever it takes has its values."""
    text = SOUND[:at] + put + SOUND[at:]
    found = read_toml(text)
    try:
        assert found.data == tomllib.loads(text)
        assert not found.faults
    except tomllib.TOMLDecodeError:
        assert found.faults
    assert all(1 <= line <= text.count("\n") + 1 for line, _ in found.faults)


@pytest.mark.parametrize(
    ("broken", "line"),
    [
        ("x =", 2),
        ("x = [1, 2", 2),
        ("x = [\n 1,\n 2", 2),
        ("x", 2),
        ('x = "a', 2),
        ("[x", 2),
        ("x = 1\nx = 2", 3),
    ],
)
def test_what_follows_a_broken_statement_is_read(broken, line):
    found = read_toml(f"a = 1\n{broken}\nb = 2\n" if broken != "[x" else f"a = 1\nb = 2\n{broken}\n")
    assert [at for at, _ in found.faults] == [line if broken != "[x" else 3]
    assert found.data["a"] == 1
    assert found.data["b"] == 2


def test_lines_are_counted_alike_with_the_line_ends_of_windows():
    found = read_toml(SOUND.replace("\n", "\r\n"))
    assert found.lines == read_toml(SOUND).lines
    assert not found.faults
