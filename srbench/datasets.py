"""A dataset as typed → its pictures, with a hash that stands for their content."""

import inspect
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from srbench.errors import DatasetError, PictureError
from srbench.files import canonical_json, sha256_file, sha256_text
from srbench.grammar import Term, parse_term
from srbench.parameters import is_path
from srbench.registry import registry
from srbench.spec import DatasetSpec
from srbench.types import Dataset, Picture

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LR_FILES, LR_FILES_OF_HR_SIZE = "LR files", "LR files of HR's size"
"""What a protocol says of LR that is not made of HR."""

_log = logging.getLogger(__name__)


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

    @property
    def lr_text(self) -> str | None:
        """What a protocol says of LR where it is files of its own; None where it is HR degraded."""
        if not self.pictures or self.pictures[0].lr is None:
            return None
        return LR_FILES_OF_HR_SIZE if self.pictures[0].same_size else LR_FILES


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
def build_dataset(text: str, scale: int | None = None) -> BuiltDataset:
    """The dataset that `text` (`folder:train=DIR,tile=128`) names, built once a process and scale.

    LR pictures of its own are held against its HR pictures; see `srbench.pairs`.

    Args:
        text: as typed.
        scale: of HR to LR; None: only a dataset without LR pictures can be built.

    Raises:
        UsageError: unknown name or parameter.
        DatasetError: its pictures are not where they should be, or LR pictures do not fit.
        PictureError: an LR picture, or its HR picture, cannot be read.
    """
    component = registry().find("dataset", parse_term(text).name)
    if scale is not None and not component.asks("scale"):
        built = build_dataset(text)  # the same at every scale
    else:
        built = build_unchecked(text, scale)
    if scale is not None and _is_paired(built.pictures):
        _check_pairs(text, built.pictures, scale)
    return built


def scored_sets(texts: Sequence[str], scale: int) -> tuple[TestSet, ...]:
    """The test halves of datasets as typed; raises as `build_dataset` does."""
    return tuple(build_dataset(text, scale).test for text in texts)


def build_unchecked(text: str, scale: int | None) -> BuiltDataset:
    """As `build_dataset`, without a look at LR pictures and anew at every call."""
    term: Term = parse_term(text)
    component = registry().find("dataset", term.name)
    settings = component.settings(term.parameters)
    params = {
        key: value
        for key, value in settings.items()
        if not is_path(component.parameters[key]) and not _is_left_out(component.parameters[key], value)
    }
    given_scale = {"scale": scale} if component.asks("scale") else {}
    pictures: Dataset = component.make(**settings, **given_scale)
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


def _is_left_out(parameter: inspect.Parameter, value: object) -> bool:
    """A keyword-only parameter may join a dataset later: at its default it leaves ids as they were."""
    return parameter.kind is inspect.Parameter.KEYWORD_ONLY and value == parameter.default


def _is_paired(dataset: Dataset) -> bool:
    return any(one.lr is not None for half in (dataset.train, dataset.val, dataset.test) for one in half)


def _check_pairs(text: str, dataset: Dataset, scale: int) -> None:
    from srbench.pairs import examine  # loads torch

    found = examine(dataset, scale)
    if found.faults:
        raise DatasetError(
            f"LR and HR pictures of {text} do not go together at ×{scale}: {found}. Correct the files, or "
            "the pattern that names them."
        )
    if found.doubts:
        _log.warning("%s has LR pictures that may be wrong at ×%d: %s.", text, scale, found)


def content_hash(pictures: Iterable[Picture]) -> str:
    """SHA-256 over the sorted names and the hashes of the files (or pixels) behind them.

    Raises:
        PictureError: a file cannot be read.
    """
    return sha256_text(canonical_json(sorted(_row(one) for one in pictures)))


def _row(picture: Picture) -> list[object]:
    own_lr = [] if picture.lr is None else [_pixels_hash(picture.lr), picture.same_size]
    return [picture.name, _pixels_hash(picture.hr), picture.box, *own_lr]


def _pixels_hash(picture: "Path | NDArray[np.uint8]") -> str:
    if isinstance(picture, Path):
        return _file_hash(picture)
    return sha256_text(f"{picture.shape}{picture.tobytes().hex()}")


@cache
def _file_hash(path: Path) -> str:
    try:
        return sha256_file(path)
    except OSError as error:
        raise PictureError(
            f"{path} cannot be read ({error.strerror}). Restore it or leave it out."
        ) from error
