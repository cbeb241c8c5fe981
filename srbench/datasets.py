"""A dataset as typed → its pictures, with a hash that stands for their content."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from srbench.errors import DatasetError, PictureError
from srbench.files import canonical_json, sha256_file, sha256_text
from srbench.grammar import Term, parse_term
from srbench.parameters import is_path
from srbench.registry import registry
from srbench.spec import DatasetSpec
from srbench.types import Dataset, Picture


@dataclass(frozen=True)
class TestSet:
    """Pictures to score on, the name they go by in tables, and the dataset as typed that they are of."""

    __test__ = False  # not a test class, whatever a test runner makes of its name

    name: str
    pictures: tuple[Picture, ...]
    typed: str = ""

    @property
    def sha256(self) -> str:
        """SHA-256 over sorted names and file hashes."""
        return content_hash(self.pictures)


@dataclass(frozen=True)
class BuiltDataset:
    """A dataset as typed (`text`), what its plugin built, and what of it enters a run's spec.

    `anywhere` is the text with absolute paths, which names the same dataset from every working directory.
    """

    text: str
    anywhere: str
    name: str
    params: dict[str, object]
    pictures: Dataset

    @property
    def spec(self) -> DatasetSpec:
        """Name, parameters without paths, hash of the training half.

        Raises:
            DatasetError: there is nothing to train on.
        """
        if not self.pictures.train:
            raise DatasetError(
                f"Dataset {self.text!r} has no training pictures, so nothing can be trained on it. Give it "
                "to --test, and another one to --dataset (folder:train=DIR, or sample)."
            )
        return DatasetSpec(name=self.name, params=self.params, sha256=content_hash(self.pictures.train))

    @property
    def test(self) -> TestSet:
        """Its test half.

        Raises:
            DatasetError: it has none.
        """
        if not self.pictures.test:
            raise DatasetError(
                f"Dataset {self.text!r} has no test pictures, so there is nothing to score on. "
                "Name a test set: --test folder:test=DIR, or --test sample."
            )
        return TestSet(self.pictures.test_name or self.name, tuple(self.pictures.test), self.text)


@cache
def build_dataset(text: str) -> BuiltDataset:
    """The dataset that `text` (`folder:train=DIR,tile=128`) names, built once a process.

    Raises:
        UsageError: unknown name or parameter.
        DatasetError: its pictures are not where they should be.
    """
    term: Term = parse_term(text)
    component = registry().find("dataset", term.name)
    settings = component.settings(term.parameters)
    params = {key: value for key, value in settings.items() if not is_path(component.parameters[key])}
    pictures: Dataset = component.make(**settings)
    for half in (pictures.train, pictures.val, pictures.test):
        names = [picture.name for picture in half]
        if len(set(names)) < len(names):
            double = next(name for name in names if names.count(name) > 1)
            raise DatasetError(f"Dataset {text!r} names two pictures {double!r}. Names must be unique.")
    given = {
        key: str(where.expanduser().absolute()) if isinstance(where := settings[key], Path) else value
        for key, value in term.parameters.items()
    }
    anywhere = str(Term(term.name, given))
    return BuiltDataset(text, anywhere, registry().spelling(component), params, pictures)


def content_hash(pictures: Iterable[Picture]) -> str:
    """SHA-256 over the sorted names and the hashes of the files (or pixels) behind them.

    Raises:
        PictureError: a file cannot be read.
    """
    return sha256_text(canonical_json(sorted([one.name, _pixels_hash(one), one.box] for one in pictures)))


def _pixels_hash(picture: Picture) -> str:
    if isinstance(picture.hr, Path):
        return _file_hash(picture.hr)
    return sha256_text(f"{picture.hr.shape}{picture.hr.tobytes().hex()}")


@cache
def _file_hash(path: Path) -> str:
    try:
        return sha256_file(path)
    except OSError as error:
        raise PictureError(
            f"{path} cannot be read ({error.strerror}). Restore it or leave it out."
        ) from error
