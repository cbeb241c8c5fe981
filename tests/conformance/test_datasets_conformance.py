"""Datasets keep the promises of their kind; a fault planted in one is found by the check meant for it."""

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from promised import finding, hold, made
from skimage import data
from small import picture_folder

from srbench.facts import DatasetFacts
from srbench.registry import registry
from srbench.testing.conformance import examine, subject_of
from srbench.types import Dataset, Picture

FACE, CAT, CUP = data.astronaut()[:48, 160:220], data.chelsea()[100:150, 90:150], data.coffee()[:40, :40]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return picture_folder(tmp_path_factory.mktemp("pictures"))


@pytest.mark.parametrize("name", registry().names("dataset"))
def test_a_registered_dataset_keeps_its_promises(name, request):
    if name == "folder":
        where = request.getfixturevalue("pictures")
        hold("dataset", f"folder:train={where / 'train'},val={where / 'val'},test={where / 'test'}")
        return
    here = registry().find("dataset", name).facts is not None
    where = request.getfixturevalue("assets") / "data" / name if here else None
    hold("dataset", f"{name}:root={where}" if where and where.is_dir() else name)


def test_tiles_of_a_folder_keep_them(pictures):
    hold("dataset", f"folder:root={pictures},tile=16")


def test_pairs_of_a_folder_keep_them(pictures, tmp_path):
    (tmp_path / "hr").mkdir()
    for path in pictures.rglob("*.png"):
        (tmp_path / "hr" / path.name).write_bytes(path.read_bytes())
        with Image.open(path) as image:
            width, height = image.size
            small = image.resize((width // 4, height // 4), Image.Resampling.BICUBIC)
        small.save(tmp_path / f"{path.stem}x4.png")
    typed = f"folder:hr={tmp_path / 'hr'},lr={tmp_path / '{name}x{scale}.png'}"
    hold("dataset", typed)
    assert finding(subject_of("dataset", typed), "pairs").state == "passed"


# Faults

ONE, OTHER = Picture("face", FACE), Picture("cat", CAT)
SOUND = Dataset(train=[ONE], val=[Picture("cup", CUP)], test=[OTHER])


def nothing():
    return Dataset()


def of_floats():
    return replace(SOUND, val=[Picture("cup", CUP / 255)])


def of_paths():
    return replace(SOUND, train=[Path("face.png")])


def bare_list():
    return [ONE, OTHER]


def shuffled():
    several = [Picture(f"face{n}", FACE[n:]) for n in range(12)]
    return replace(SOUND, train=random.sample(several, 12))


def redrawn():
    return replace(SOUND, test=[Picture("noise", np.random.randint(0, 255, (32, 32), dtype=np.uint8))])


def named_twice():
    return replace(SOUND, train=[ONE, Picture("face", FACE[1:])])


def named_by_place():
    return replace(SOUND, train=[Picture(str(Path("/data/face")), FACE)])


def copied():
    return replace(SOUND, test=[OTHER, Picture("portrait", FACE.copy())])


def copied_as_grey():
    grey = FACE[..., 0]
    return replace(SOUND, train=[Picture("a", grey)], test=[Picture("b", np.stack([grey] * 3, axis=2))])


def tiny():
    return replace(SOUND, train=[Picture("stamp", FACE[:9])])


def missing():
    return replace(SOUND, test=[Picture("gone", Path("/nowhere/gone.png"))])


def beyond():
    return replace(SOUND, train=[Picture("face@32+0", FACE, (32, 0, 32, 32))])


def of_small_lr(scale=None):
    return Dataset(train=[replace(ONE, lr=FACE[: 48 // (scale or 2) - 1, : 60 // (scale or 2)])])


def of_other_lr(scale=None):
    step = scale or 2
    return Dataset(train=[replace(ONE, lr=np.ascontiguousarray(FACE[::-1, ::-1][::step, ::step]))])


def of_unscaled_lr():
    return Dataset(train=[replace(ONE, lr=np.ascontiguousarray(FACE[::2, ::2]))])


def broken():
    return Dataset(train=[{}["face"]])


def sound():
    return SOUND


FACTS = {"facts": DatasetFacts("free", {"train": 1, "val": 1, "test": 2}, by_hand="Ask for it.")}
FAULTS = [
    (nothing, {}, "builds", ("no pictures at all", "DatasetError")),
    (of_floats, {}, "builds", ("hr of 'cup' is float64 (40, 40, 3)", "8-bit pixels")),
    (of_paths, {}, "builds", ("train half holds PosixPath", "srbench.api.Picture")),
    (bare_list, {}, "builds", ("returned list", "srbench.api.Dataset")),
    (broken, {}, "builds", ("KeyError: 'face'", "DatasetError")),
    (shuffled, {}, "order", ("Built twice, its train half has 'face", "sort files by name")),
    (redrawn, {}, "order", ("test half has the same names and other pixels", "fixed seed")),
    (named_twice, {}, "names", ("Two pictures of its train half are named 'face'", "Take the path")),
    (named_by_place, {}, "names", ("named '/data/face'", "relative_to(root)")),
    (copied, {}, "apart", ("Test picture 'portrait' is train picture 'face'", "in one half")),
    (copied_as_grey, {}, "apart", ("Test picture 'b' is train picture 'a'", "in one half")),
    (tiny, {}, "pictures", ("Train picture 'stamp' is 60×9", "smaller than a patch of 16×16")),
    (missing, {}, "pictures", ("/nowhere/gone.png cannot be read (No such file", "Leave out")),
    (beyond, {}, "boxes", ("Train tile 'face@32+0' is 32×32 from column 0, row 32, of a picture of 60×48",)),
    (of_small_lr, {}, "pairs", ("At ×2", "is 30×23, and face (60×48) at ×2 needs 30×24", "cut at bottom")),
    (of_other_lr, {}, "pairs", ("At ×2", "shows another picture than face")),
    (of_unscaled_lr, {}, "pairs", ("has no parameter scale", "Ask for scale")),
    (sound, FACTS, "facts", ("count 2 test pictures, and it builds 1", "Correct the counts")),
    (sound, {"facts": DatasetFacts("free", {"test": 1})}, "facts", ("nor how it is got",)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("faulty", "options", "check", "words"), FAULTS, ids=[f"{one[0].__name__}-{one[2]}" for one in FAULTS]
)
def test_a_planted_fault_is_found_by_its_check_with_advice(faulty, options, check, words):
    found = finding(made("dataset", faulty, **options), check)
    assert found.state == "failed"
    assert not [one for one in words if one not in found.text], found.text


def test_tiles_of_one_file_in_two_halves_are_found(tmp_path):
    Image.fromarray(FACE).save(tmp_path / "face.png")
    tiles = [Picture(f"face@{row}+0", tmp_path / "face.png", (row, 0, 24, 24)) for row in (0, 12, 24)]

    def build(last: int):
        return lambda: Dataset(train=[tiles[0]], test=[tiles[last]])

    found = finding(made("dataset", build(1)), "apart")
    assert "Test picture 'face@12+0' and train picture 'face@0+0' share pixels of" in found.text
    assert finding(made("dataset", build(2)), "apart").state == "passed"


def test_a_sound_dataset_passes():
    assert "failed" not in {found.state for found in examine(made("dataset", sound))}


def test_a_public_set_that_is_not_here_is_skipped_with_the_way_to_fetch_it():
    found = {one.check: one for one in examine(made("dataset", registry().find("dataset", "set5").build))}
    assert found["builds"].state == found["pairs"].state == "skipped"
    assert "srbench data fetch set5 downloads it there." in found["builds"].text
