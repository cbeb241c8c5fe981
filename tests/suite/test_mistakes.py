"""Every mistake of a suite file is told at its line, with what was found and what is expected, in one go."""

import re
from pathlib import Path

import pytest

from srbench.errors import UsageError
from srbench.suite.read import SuiteError, read_suite

PLANTED = Path(__file__).parent / "mistakes.toml"


def planted():
    """(line, words) of every mistake that the file says it has."""
    lines = PLANTED.read_text(encoding="utf-8").splitlines()
    return [
        (number, words.strip())
        for number, line in enumerate(lines, 1)
        if number > 1 and "#!" in line
        for words in line.partition("#!")[2].split(" | ")
    ]


def mistakes_of(tmp_path, text):
    """line → what is said of it."""
    file = tmp_path / "suite.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SuiteError) as caught:
        read_suite(file)
    return [(one.line, one.text) for one in caught.value.mistakes]


def test_every_planted_mistake_is_told_at_its_line_and_nothing_else_is():
    """Acceptance: at least 25 of them, of every kind, from one reading."""
    with pytest.raises(SuiteError) as caught:
        read_suite(PLANTED)
    left = list(caught.value.mistakes)
    for line, words in planted():
        (found, *_) = [one for one in left if one.line == line and words in one.text] or [None]
        assert found, f"line {line}: nobody says {words!r}; left are {left}"
        left.remove(found)
    assert not left
    assert len(planted()) >= 25


def test_the_message_has_a_line_for_each_mistake_that_editors_can_follow():
    with pytest.raises(SuiteError) as caught:
        read_suite(PLANTED)
    head, *lines = str(caught.value).splitlines()
    assert head == f"{PLANTED} has {len(planted())} mistakes:"
    numbers = [int(re.fullmatch(rf"{re.escape(str(PLANTED))}:(\d+): .+", line)[1]) for line in lines]
    assert numbers == sorted(numbers)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "No model is named. Write model"),
        ('[axes]\nloss = "l1"', 1, "No model is named"),
        ('[axes]\nmodel = "lapsrn"\n[[exclude]]\nmodel = "lapsrn"', 3, "Nothing is left"),
        ('[axes]\nmodel = "lapsrn"\n[[exclude]]', 3, "[[exclude]] names no axis. It takes: channels"),
        ('[axes]\nmodel = "lapsrn"\n[[when]]\nseed = 0\nsettings = {}', 5, "settings is empty"),
        ('[axes]\nmodel = "lapsrn"\nseed = [1, 1]', 3, "seed '1' is here already, as '1'"),
        ('[axes]\nmodel = "lapsrn"\nseed = [1, {init=1,order=1,crops=1}]', 3, "seed '1' is here already"),
        ('[axes]\nmodel = "lapsrn"\nseed = true', 3, "seed is true, and a whole number"),
        ('[axes]\nmodel = "lapsrn"\nseed = 1.5', 3, "a whole number or a table is expected"),
        ('axes = "lapsrn"', 1, 'axes is "lapsrn", and a table is expected.'),
        ('[axes]\nmodel = "lapsrn"\n[exclude]\nseed = 0', 3, "tables, each under its [[…]] is expected"),
        ('[axes]\nmodel = "lapsrn\n', 2, "This is no TOML. Illegal character '\\n'"),
        ('[axes]\nmodel = ["lapsrn"\nloss = "l1"', 2, "This is no TOML. "),
        ('[axes\nmodel = "lapsrn"', 1, "This is no TOML. Expected ']'"),
        ('[axes]\nmodel = "lapsrn"\nmodel.depth = 3', 3, "This is no TOML. model is given twice"),
        ('[axes]\nmodel = "lapsrn"\n[[axes]]\nseed = 0', 3, "[[axes]] and [axes] are two things"),
        ('[axes]\nmodel = "lapsrn"\n[settings]\nlr = inf', 4, "a finite number is expected"),
        ('[axes]\nmodel = "lapsrn"\n[settings]\nrecipe = "papr"', 4, "Did you mean 'paper'?"),
        ('[axes]\nmodel = "lapsrn"\n[settings]\nschedule = "cosine:steps=0"', 4, "cannot be: "),
        ('[axes]\nmodel = "lapsrn"\n[[when]]\nmodel="lapsrn"\nsettings.patch = 18', 5, "--patch 18 is not"),
        ('[axes]\nmodel = "lapsrn"\nloss = "lpips"\nchannels = "r"', 4, "looks at RGB pictures"),
        ('[axes]\nmodel = "lapsrn"\ndegradation = "bicubik"', 3, "Did you mean 'bicubic'?"),
        ('[axes]\nmodel = "lapsrn"\n[[include]]\nmodel = "srcnn"\nscale = 5', 5, "cannot do ×5"),
        ('[axes]\nmodel = "lapsrn"\n[scoring]\ntest = ["sample", "sample"]', 4, "is here already"),
        ('[axes]\nmodel = "lapsrn"\n[scoring]\ntile = 8', 4, "tile cannot be so: a tile of 8 pixels"),
        ('[axes]\nmodel = "lapsrn"\n[scoring]\nborder = -1', 4, "a number from 0 or 'scale' is expected"),
        ('[axes]\nmodel = "lapsrn:depth=3,depth=4"', 2, "gives 'depth' twice"),
        ('[axes]\nmodel = "lapsrn:\\"depth"', 2, "a quote that is not closed"),
    ],
)
def test_what_else_can_be_wrong(tmp_path, text, line, words):
    found = mistakes_of(tmp_path, text)
    assert [(at, said) for at, said in found if at == line and words in said], found
    assert len(found) == 1, found


def test_a_value_that_cannot_be_does_not_hide_what_stands_beside_it(tmp_path):
    """Lines stay right when elements before them were taken out."""
    text = '[axes]\nmodel = [\n 3,\n "lapsm",\n "lapsrn",\n]\nloss = "l3"\n'
    found = mistakes_of(tmp_path, text)
    assert [line for line, _ in found] == [3, 4, 7]


def test_what_is_no_text_or_is_not_there_is_one_sentence(tmp_path):
    file = tmp_path / "suite.toml"
    file.write_bytes(b'[axes]\nmodel = "\xff"\n')
    with pytest.raises(SuiteError, match="suite.toml:2: This is no UTF-8 text"):
        read_suite(file)
    with pytest.raises(UsageError, match="There is no suite to read at nowhere.toml"):
        read_suite("nowhere.toml")
    with pytest.raises(UsageError, match="There is no suite to read at"):
        read_suite(tmp_path)
