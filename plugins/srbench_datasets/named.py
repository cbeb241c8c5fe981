"""The public sets by name: each is `folder` at a place the user names."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

from srbench.api import Dataset, DatasetError
from srbench_datasets.folder import existing, folder

DIV2K_TRAIN, DIV2K_TEST = "DIV2K_train_HR", "DIV2K_valid_HR"

log = logging.getLogger(__name__)


def _named(name: str, pictures: int, half: Literal["train", "test"], about: str) -> Callable[..., Dataset]:
    """The builder of a set that is wholly for training or for testing; `pictures` is how many it has."""

    def build(root: Path | None = None) -> Dataset:
        where = _given(name, root, f"its {pictures} pictures")
        # As the usual archives have it, LR files beside HR: those are no pictures of the set.
        where = where / "HR" if (where / "HR").is_dir() else where
        dataset = folder(train=where) if half == "train" else folder(test=where)
        _warn_of_count(name, len(dataset.train or dataset.test), pictures, where)
        return replace(dataset, test_name=name if half == "test" else None)

    build.__name__ = build.__qualname__ = name
    build.__doc__ = f"""{about}

    All of it is for {"training" if half == "train" else "testing"}.

    Args:
        root: the folder with its {pictures} HR pictures, or the one above it if that is called `HR`.

    Raises:
        DatasetError: `root` is not given, is missing or holds no pictures.
    """
    return build


set5 = _named("set5", 5, "test", "Set5: Bevilacqua et al. 2012.")
set14 = _named("set14", 14, "test", "Set14: Zeyde, Elad and Protter 2010.")
bsds100 = _named("bsds100", 100, "test", "BSDS100: the 100 test pictures of BSDS300, Martin et al. 2001.")
urban100 = _named("urban100", 100, "test", "Urban100: Huang, Singh and Ahuja 2015.")
manga109 = _named("manga109", 109, "test", "Manga109: Matsui et al. 2017.")
bsds200 = _named("bsds200", 200, "train", "BSDS200: the 200 training pictures of BSDS, Arbeláez et al. 2011.")
t91 = _named("t91", 91, "train", "T91: Yang et al. 2010.")


def div2k(root: Path | None = None) -> Dataset:
    """DIV2K: Agustsson and Timofte 2017; 800 pictures for training, its 100 validation pictures for testing.

    Args:
        root: the folder that holds `DIV2K_train_HR` and `DIV2K_valid_HR`, as the archives unpack.

    Raises:
        DatasetError: `root` is not given, or one of the two folders is missing or holds no pictures.
    """
    where = _given("div2k", root, f"{DIV2K_TRAIN} and {DIV2K_TEST}")
    missing = [part for part in (DIV2K_TRAIN, DIV2K_TEST) if not (where / part).is_dir()]
    if missing:
        raise DatasetError(
            f"div2k looks for {DIV2K_TRAIN} and {DIV2K_TEST} in root={root}, and {' and '.join(missing)} "
            "is not there. Name the folder above the two; for one of them alone write folder:train=DIR or "
            "folder:test=DIR."
        )
    dataset = folder(train=where / DIV2K_TRAIN, test=where / DIV2K_TEST)
    _warn_of_count("div2k", len(dataset.train), 800, where / DIV2K_TRAIN)
    _warn_of_count("div2k", len(dataset.test), 100, where / DIV2K_TEST)
    return replace(dataset, test_name="div2k")


def _given(name: str, root: Path | None, holding: str) -> Path:
    if root is None:
        raise DatasetError(
            f"srbench does not carry the pictures of {name}. Say where they are: {name}:root=DIR, the folder "
            f"with {holding}."
        )
    return existing("root", root)


def _warn_of_count(name: str, found: int, expected: int, where: Path) -> None:
    if found != expected:
        log.warning(
            "%s has %d pictures, but %s holds %d: scores will not compare with those others publish for %s. "
            "Complete it, or name it as what it is, by folder:test=DIR or folder:train=DIR.",
            name,
            expected,
            where,
            found,
            name,
        )
