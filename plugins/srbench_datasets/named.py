"""The public sets by name: each is `folder` at the place where it was fetched to, or that the user names."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

from srbench.api import Dataset, DatasetError, DatasetFacts, data_dir
from srbench_datasets import facts
from srbench_datasets.files import existing
from srbench_datasets.folder import folder

DIV2K_TRAIN, DIV2K_TEST = "DIV2K_train_HR", "DIV2K_valid_HR"

log = logging.getLogger(__name__)


def _named(name: str, known: DatasetFacts, about: str) -> Callable[..., Dataset]:
    """The builder of a set that is wholly for training or for testing."""
    ((half, pictures),) = known.counts.items()

    def build(root: Path | None = None) -> Dataset:
        where = _place(name, known, root, f"its {pictures} pictures")
        # As the usual archives have it, LR files beside HR: those are no pictures of the set.
        where = where / "HR" if (where / "HR").is_dir() else where
        if half == "test":  # whether its pictures are the published ones is looked at when they are scored
            return replace(folder(test=where), test_name=name)
        dataset = folder(train=where)
        _warn_of_count(name, len(dataset.train), pictures, where)
        return dataset

    build.__name__ = build.__qualname__ = name
    build.__doc__ = f"""{about}

    All of it is for {"training" if half == "train" else "testing"}.

    Args:
        root: the folder with its {pictures} HR pictures, or the one above it if that is called `HR`; where
            `srbench data fetch` has put it unless given.

    Raises:
        DatasetError: the folder is missing or holds no pictures.
    """
    return build


set5 = _named("set5", facts.SET5, "Set5: Bevilacqua et al. 2012.")
set14 = _named("set14", facts.SET14, "Set14: Zeyde, Elad and Protter 2010.")
bsds100 = _named("bsds100", facts.BSDS100, "BSDS100: the 100 test pictures of BSDS300, Martin et al. 2001.")
urban100 = _named("urban100", facts.URBAN100, "Urban100: Huang, Singh and Ahuja 2015.")
manga109 = _named("manga109", facts.MANGA109, "Manga109: Matsui et al. 2017.")
bsds200 = _named(
    "bsds200", facts.BSDS200, "BSDS200: the 200 training pictures of BSDS, Arbeláez et al. 2011."
)
t91 = _named("t91", facts.T91, "T91: Yang et al. 2010.")


def div2k(
    root: Path | None = None,
    *,
    lr: Literal["bicubic", "unknown"] | None = None,
    scale: int | None = None,
) -> Dataset:
    """DIV2K: Agustsson and Timofte 2017; 800 pictures for training, its 100 validation pictures for testing.

    Args:
        root: the folder that holds `DIV2K_train_HR` and `DIV2K_valid_HR`, as the archives unpack; where
            `srbench data fetch` has put it unless given.
        lr: take the LR pictures of that track of NTIRE 2017, which lie beside as their archives unpack, in
            place of LR made of HR: `DIV2K_train_LR_bicubic/X4/0001x4.png`.
        scale: of the run.

    Raises:
        DatasetError: one of the two folders is missing or holds no pictures, or so for the LR pictures.
    """
    where = _place("div2k", facts.DIV2K, root, f"{DIV2K_TRAIN} and {DIV2K_TEST}")
    missing = [part for part in (DIV2K_TRAIN, DIV2K_TEST) if not (where / part).is_dir()]
    if missing:
        raise DatasetError(
            f"div2k looks for {DIV2K_TRAIN} and {DIV2K_TEST} in {where}, and {' and '.join(missing)} "
            "is not there. Name the folder above the two; for one of them alone write folder:train=DIR or "
            "folder:test=DIR."
        )
    lr_of = {
        half: where / f"{part.removesuffix('_HR')}_LR_{lr}" / "X{scale}" / "{name}x{scale}.png"
        if lr
        else None
        for half, part in (("train", DIV2K_TRAIN), ("test", DIV2K_TEST))
    }
    dataset = folder(
        train=where / DIV2K_TRAIN,
        test=where / DIV2K_TEST,
        train_lr=lr_of["train"],
        test_lr=lr_of["test"],
        scale=scale,
    )
    _warn_of_count("div2k", len(dataset.train), facts.DIV2K.counts["train"], where / DIV2K_TRAIN)
    return replace(dataset, test_name=f"div2k-{lr}" if lr else "div2k")


def _place(name: str, known: DatasetFacts, root: Path | None, holding: str) -> Path:
    if root is not None:
        return existing("root", root)
    where = data_dir() / name
    if not where.is_dir():
        how = f"srbench data fetch {name} downloads it there." if known.archives else known.by_hand
        raise DatasetError(
            f"{name} is not in the data folder ({where}; SRBENCH_DATA names another folder). {how} If it is "
            f"elsewhere, say where: {name}:root=DIR, the folder with {holding}."
        )
    return where


def _warn_of_count(name: str, found: int, expected: int, where: Path) -> None:
    if found != expected:
        log.warning(
            "%s has %d pictures, but %s holds %d: what is trained on it will not compare with what others "
            "train on %s. Complete it, or name it as what it is, by folder:train=DIR.",
            name,
            expected,
            where,
            found,
            name,
        )
