"""The grammar of names: what is typed comes back, lists split where they should, and mistakes are quoted."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srbench.errors import UsageError
from srbench.grammar import Term, parse_sum, parse_term, split_list

names = st.text(string.ascii_lowercase, min_size=1, max_size=8)
values = st.text(string.ascii_letters + string.digits + "-_./,+' *", min_size=1, max_size=12).filter(
    lambda text: text == text.strip()
)
terms = st.builds(
    Term, names, st.dictionaries(names, values, max_size=3), st.sampled_from([1.0, 0.1, 2.0, 1e-6])
)


@given(st.lists(terms, min_size=1, max_size=4))
def test_a_sum_of_terms_is_read_as_it_was_written(written):
    assert parse_sum("+".join(str(term) for term in written)) == written


@given(st.lists(terms, min_size=1, max_size=4))
def test_a_list_splits_into_its_settings(written):
    texts = [str(term) for term in written]
    assert [parse_term(item) for item in split_list([",".join(texts)])] == written
    assert [parse_term(item) for item in split_list(texts)] == written


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (["charbonnier:eps=1e-6,l1"], ["charbonnier:eps=1e-6", "l1"]),
        (["folder:train=a,test=b,tile=96"], ["folder:train=a,test=b,tile=96"]),
        (["set5,set14:root=C:\\pictures"], ["set5", "set14:root=C:\\pictures"]),
        (["charbonnier+0.1*ffl,alpha=2,l1"], ["charbonnier+0.1*ffl:alpha=2", "l1"]),
        (['folder:test="a,b"', "set5"], ['folder:test="a,b"', "set5"]),
    ],
)
def test_lists(typed, expected):
    assert split_list(typed) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("charbonnier:eps=1e+3+0.1*ffl", [("charbonnier", 1.0, {"eps": "1e+3"}), ("ffl", 0.1, {})]),
        ("l1+1e-3*l2", [("l1", 1.0, {}), ("l2", 1e-3, {})]),
        ("2*l1", [("l1", 2.0, {})]),
        ("dist-name/l1", [("dist-name/l1", 1.0, {})]),
    ],
)
def test_sums(text, expected):
    assert [(term.name, term.weight, term.parameters) for term in parse_sum(text)] == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("charbonnier:eps", "'eps' in 'charbonnier:eps' is not of the form key=value"),
        ("charbonnier:eps=1,eps=2", "gives 'eps' twice"),
        (":eps=1", "is not of the form name"),
        ("1e*l1", "'1e' in '1e*l1' is not a number"),
        ('folder:test="a', "quote that is not closed"),
    ],
)
def test_mistakes_quote_what_was_typed(text, words):
    with pytest.raises(UsageError, match=words.replace("*", r"\*")):
        parse_term(text)


@pytest.mark.parametrize(
    ("texts", "words"), [(["eps=1"], "belongs to no name"), (["l1,,l2"], "has an empty item")]
)
def test_lists_without_a_name_are_refused(texts, words):
    with pytest.raises(UsageError, match=words):
        split_list(texts)


@pytest.mark.parametrize("value", ["plain", "a, b", "it's", 'an "inch"', "1+x", "a*b"])
def test_a_value_is_quoted_so_that_it_is_read_back(value):
    assert parse_term(str(Term("folder", {"root": value, "tile": "16"}))).parameters == {
        "root": value,
        "tile": "16",
    }
