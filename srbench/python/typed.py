"""Names of components as a user typed them: refused where several plugins claim one.

What is built of such texts later, and what the core or a stored run names, is looked up by `Registry.find`,
for which a bare name that several claim is srbench-harness's own.
"""

from collections.abc import Sequence

from srbench.components import Kind


def typed_list(kind: Kind, texts: Sequence[str] | None) -> list[str]:
    """Comma lists and repeated options → one text a setting, in which every name means one thing.

    Raises:
        UsageError: a text cannot be read, or several plugins claim a bare name in it.
    """
    from srbench.grammar import split_list

    return [typed_one(kind, text) for text in split_list(texts or ())]


def typed_one(kind: Kind, text: str) -> str:
    """One setting as it is; raises as `typed_list` does."""
    from srbench.grammar import parse_sum, parse_term
    from srbench.registry import registry

    for term in parse_sum(text) if kind == "loss" else [parse_term(text)]:
        registry().check_typed(kind, term.name)
    return text
