"""Datasets: the sample, splits and tiles as laws, the named sets, and the words of each error."""

import inspect
import logging
import random
import subprocess
import sys
import typing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from srbench.errors import DatasetError, PictureError
from srbench.files import sha256_file
from srbench.images.png import read_picture
from srbench.registry import registry
from srbench.types import Picture
from srbench_datasets import facts, named
from srbench_datasets.folder import folder, split_by_name, tiles_of
from srbench_datasets.plugin import NAMED
from srbench_datasets.sample import TEST, TRAIN, VAL, pictures_in, sample


def write_picture(path: Path, width: int = 40, height: int = 32, **options: object) -> Path:
    """A picture of noise that its name seeds; the suffix says the format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(len(str(path))).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, **options)
    return path


def write_pictures(top: Path, names: typing.Iterable[str]) -> Path:
    for name in names:
        write_picture(top / name)
    return top


def names(pictures: typing.Iterable[Picture]) -> list[str]:
    return [picture.name for picture in pictures]


# The sample


def test_sample_has_three_halves_of_real_pictures():
    dataset = sample()
    assert names(dataset.train) == [
        "brick", "grass", "gravel", "moon", "motorcycle_left", "motorcycle_right", "page", "text",
    ]  # fmt: skip
    assert names(dataset.val) == ["camera", "coins"]
    assert names(dataset.test) == ["astronaut", "chelsea", "coffee", "hubble_deep_field", "ihc", "rocket"]
    for picture in (*dataset.train, *dataset.val, *dataset.test):
        assert min(read_picture(picture).shape[:2]) >= 128  # room for the patch of every recipe
    for picture in dataset.test:
        assert read_picture(picture).ndim == 3


def test_sample_shares_no_file_between_halves():
    dataset = sample()
    halves = [
        {sha256_file(picture.hr) for picture in half} for half in (dataset.train, dataset.val, dataset.test)
    ]
    assert len(set.union(*halves)) == sum(map(len, halves)) == len(TRAIN) + len(VAL) + len(TEST)


def test_sample_names_the_missing_file_and_how_to_mend_it(tmp_path):
    for file in (*TRAIN, *VAL, *TEST):
        (tmp_path / file).touch()
    (tmp_path / "coffee.png").unlink()
    with pytest.raises(
        DatasetError, match=r"needs .*coffee\.png, .*pip install --force-reinstall scikit-image"
    ):
        pictures_in(tmp_path)


def test_sample_loads_neither_torch_nor_scikit_image():
    code = "import sys; from srbench_datasets.sample import sample; sample(); print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"torch", "skimage", "pooch"} & set(loaded)


# Splitting


def test_two_thousand_six_hundred_and_forty_pictures_split_2112_to_528(tmp_path):
    for number in range(2640):
        (tmp_path / f"{number:04}.png").touch()
    dataset = folder(root=tmp_path)
    assert (len(dataset.train), len(dataset.test)) == (2112, 528)


def test_tiles_of_one_picture_stay_on_one_side(tmp_path):
    """Eleven pictures of 15 tiles: two are held out whole, so training has the tiles of nine."""
    for number in range(11):
        write_picture(tmp_path / f"{number}.png", width=5 * 16 + 3, height=3 * 16 + 15)
    dataset = folder(root=tmp_path, tile=16)
    assert (len(dataset.train), len(dataset.test)) == (9 * 15, 2)
    assert not {picture.hr for picture in dataset.train} & {picture.hr for picture in dataset.test}
    assert all(picture.box is None for picture in dataset.test)


@given(
    labels=st.sets(st.text("abcdé/0", min_size=1), min_size=1, max_size=40),
    split=st.floats(0.01, 0.99),
    seed=st.integers(),
)
def test_split_is_a_partition_that_ignores_order(labels, split, seed):
    pictures = [Picture(label, Path(label)) for label in sorted(labels)]
    train, test = split_by_name(pictures, split)
    assert not {*names(train)} & {*names(test)}
    assert sorted(names(train) + names(test)) == sorted(labels)
    assert len(pictures) == 1 or (train and test)
    assert abs(len(test) - split * len(pictures)) <= 1
    random.Random(seed).shuffle(pictures)
    shuffled_train, shuffled_test = split_by_name(pictures, split)
    assert {*names(shuffled_train)} == {*names(train)}
    assert {*names(shuffled_test)} == {*names(test)}


@given(labels=st.sets(st.text("abc", min_size=1), min_size=3, max_size=30), split=st.floats(0.01, 0.99))
def test_a_new_picture_moves_at_most_one_other(labels, split):
    new, *old = (Picture(label, Path(label)) for label in sorted(labels))
    before = {*names(split_by_name(old, split)[1])}
    after = {*names(split_by_name([new, *old], split)[1])} - {new.name}
    assert len(before ^ after) <= 1


@pytest.mark.parametrize(("count", "split", "held_out"), [
    (1, 0.2, 0), (1, 0.5, 1), (2, 0.01, 1), (2, 0.99, 1), (10, 0.25, 3), (100, 0.145, 15), (100, 0.144, 14),
])  # fmt: skip
def test_share_is_rounded_half_up_in_decimals(count, split, held_out):
    pictures = [Picture(str(number), Path(str(number))) for number in range(count)]
    assert len(split_by_name(pictures, split)[1]) == held_out


def test_split_of_known_names():
    """Golden: `printf a | sha256sum` and so on to j; the lowest are 189f… of j, 18ac… of d and 252f… of f."""
    pictures = [Picture(letter, Path(letter)) for letter in "abcdefghij"]
    assert names(split_by_name(pictures, 0.3)[1]) == ["d", "f", "j"]


# Tiles


@given(tile=st.integers(16, 40), height=st.integers(1, 130), width=st.integers(1, 130))
def test_tiles_fill_the_picture_without_overlap(tile, height, width):
    """Each pixel left of and above the remainder is in one tile, and no tile reaches outside."""
    tiles = tiles_of(Picture("a", Path("a.png")), height, width, tile)
    covered = np.zeros((height, width), dtype=int)
    for one in tiles:
        top, left, rows, columns = one.box
        assert (rows, columns) == (tile, tile)
        assert covered[top : top + rows, left : left + columns].shape == (tile, tile)
        covered[top : top + rows, left : left + columns] += 1
    whole = (slice(height // tile * tile), slice(width // tile * tile))
    assert (covered[whole] == 1).all()
    assert covered.sum() == covered[whole].size
    assert len(set(names(tiles))) == len(tiles)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_tiles_fit_the_picture_as_it_is_decoded(tmp_path, suffix, orientation):
    """A camera held upright stores its picture lying: 70×40 with orientation 6 is 40×70."""
    exif = Image.Exif()
    exif[274] = orientation
    options = {"tiffinfo": {274: orientation}} if suffix == ".tif" else {"exif": exif}
    write_picture(tmp_path / f"a{suffix}", width=70, height=40, **options)
    tiles = folder(train=tmp_path, tile=32).train
    turned = orientation in (6, 8)
    assert names(tiles) == (["a@0+0", "a@32+0"] if turned else ["a@0+0", "a@0+32"])
    for tile in tiles:
        assert read_picture(tile).shape == (32, 32, 3)


def test_pictures_smaller_than_a_tile_are_left_out_with_a_word(tmp_path, caplog):
    write_picture(tmp_path / "large.png", 64, 64)
    write_picture(tmp_path / "small.png", 31, 64)
    with caplog.at_level(logging.WARNING):
        assert len(folder(train=tmp_path, tile=32).train) == 4
    assert "1 of 2 training pictures are smaller than tile=32 and are left out, small first" in caplog.text


# Reading folders


def test_names_are_relative_sorted_and_without_suffix(tmp_path):
    write_pictures(tmp_path, ["b.PNG", "a/z.jpg", "a/b/c.webp", "a.b.bmp", "é.TIFF", "Z.jpeg", "z.tif"])
    write_pictures(tmp_path, [".hidden.png", ".thumbnails/a.png"])
    (tmp_path / "notes.txt").write_text("no picture")
    dataset = folder(test=tmp_path)
    assert names(dataset.test) == ["Z", "a.b", "a/b/c", "a/z", "b", "z", "é"]
    assert all(picture.hr.is_absolute() and picture.hr.is_file() for picture in dataset.test)
    assert dataset.train == dataset.val == ()


def test_decomposed_letters_give_the_same_name(tmp_path):
    """As macOS may hand them out: e and a combining accent are é."""
    write_picture(tmp_path / "e\N{COMBINING ACUTE ACCENT}.png")
    assert names(folder(train=tmp_path).train) == ["é"]


def test_folders_by_role_and_what_the_test_is_called(tmp_path, monkeypatch):
    for role in ("learn", "watch", "score"):
        write_pictures(tmp_path / role, ["a.png", "b.png"])
    learn, watch, score = (tmp_path / role for role in ("learn", "watch", "score"))
    dataset = folder(train=learn, val=watch, test=score)
    assert [picture.hr.parent for half in (dataset.train, dataset.val, dataset.test) for picture in half] == [
        learn, learn, watch, watch, score, score,
    ]  # fmt: skip
    assert dataset.test_name == "score"
    assert folder(root=learn).test_name == "learn"
    assert folder(train=learn).test_name is None
    monkeypatch.chdir(learn)
    assert folder(root=Path()).test_name == "learn"
    assert folder(test=Path("../score")).test_name == "score"
    assert folder(test=Path("..")).test_name == tmp_path.name


def test_building_twice_gives_the_same_dataset(tmp_path):
    write_pictures(tmp_path, [f"{number}.png" for number in range(12)])
    assert folder(root=tmp_path, tile=16) == folder(root=tmp_path, tile=16)


# Errors: what, where, what to do


@pytest.fixture
def pictures(tmp_path) -> Path:
    return write_pictures(tmp_path / "pictures", ["a.png", "b.png", "sub/c.png"])


def test_missing_folder(tmp_path):
    with pytest.raises(
        DatasetError, match=r"The folder test=nowhere does not exist \(/.*/nowhere\)\. Correct the path"
    ):
        folder(test=Path("nowhere"))


def test_file_in_place_of_a_folder(pictures):
    with pytest.raises(DatasetError, match=r"root=.*a\.png is a file, not a folder.*unpacked first"):
        folder(root=pictures / "a.png")


def test_folder_without_pictures(tmp_path):
    (tmp_path / "readme.txt").touch()
    with pytest.raises(DatasetError, match=r"holds no pictures.*\.png, .*\.webp\. Correct the path"):
        folder(root=tmp_path)


@pytest.mark.parametrize("role", ["train", "val", "test"])
def test_root_together_with_another(pictures, role):
    with pytest.raises(DatasetError, match=rf"root=.* came with {role}=\. Leave out one kind"):
        folder(root=pictures, **{role: pictures})


def test_no_folder_at_all():
    with pytest.raises(DatasetError, match=r"Write folder:root=DIR .* or folder:train=DIR,test=DIR"):
        folder()


def test_val_without_train(pictures):
    with pytest.raises(DatasetError, match=r"there is no train=\. Add train=DIR"):
        folder(val=pictures)


@pytest.mark.parametrize("split", [0, 1, -0.2, 20, float("nan")])
def test_split_outside_0_to_1(pictures, split):
    with pytest.raises(DatasetError, match=rf"split={split} is .* must lie between 0 and 1"):
        folder(root=pictures, split=split)


def test_tile_too_small(pictures):
    with pytest.raises(DatasetError, match=r"tile=15 is too small: .* at least 16 pixels"):
        folder(root=pictures, tile=15)


def test_tile_larger_than_every_picture(pictures):
    """They are 40×32."""
    with pytest.raises(DatasetError, match=r"tile=33 is larger than .*40×32\. Choose tile=32 or less"):
        folder(root=pictures, tile=33)


def test_tile_with_nothing_to_train_on(pictures):
    with pytest.raises(DatasetError, match=r"tile=32 cuts training pictures, and there are none"):
        folder(test=pictures, tile=32)


@pytest.mark.parametrize(("train", "test"), [(".", "."), (".", "sub"), ("sub", "."), ("sub/../sub", "sub")])
def test_overlapping_folders(pictures, train, test):
    with pytest.raises(DatasetError, match=r"train=.* and test=.* overlap.*of which none holds another"):
        folder(train=pictures / train, test=pictures / test)


def test_two_files_that_differ_by_suffix(pictures):
    write_picture(pictures / "sub" / "c.jpg")
    with pytest.raises(
        DatasetError, match=r"c\.jpg and c\.png in the same folder differ only by suffix.*rename one"
    ):
        folder(root=pictures)


def test_unreadable_size(pictures):
    (pictures / "b.png").write_bytes(b"not a picture")
    assert len(folder(train=pictures).train) == 3
    with pytest.raises(PictureError, match=r"b\.png is not a picture whose size can be read"):
        folder(train=pictures, tile=16)


# The public sets


@pytest.mark.parametrize("name", NAMED)
def test_named_sets_have_signatures_to_inspect(name):
    build = getattr(named, name)
    assert build.__name__ == name
    assert list(inspect.signature(build).parameters) == ["root"] + ["lr", "scale"] * (name == "div2k")
    assert typing.get_type_hints(build)["root"] == Path | None
    assert "root: the folder" in build.__doc__


@pytest.mark.parametrize("name", NAMED)
def test_named_sets_need_to_be_told_where_they_are(name, tmp_path):
    how = "Its terms need a registration" if name == "manga109" else f"srbench data fetch {name} downloads it"
    with pytest.raises(
        DatasetError, match=rf"{name} is not in the data folder \(.*; SRBENCH_DATA .*{how}.*{name}:root=DIR"
    ):
        getattr(named, name)()
    with pytest.raises(DatasetError, match=r"The folder root=.*gone does not exist"):
        getattr(named, name)(root=tmp_path / "gone")


@pytest.mark.parametrize(
    ("name", "half", "count"), [("set5", "test", 5), ("set14", "test", 14), ("bsds200", "train", 200)]
)
def test_named_sets_on_the_real_ones(assets, caplog, name, half, count):
    dataset = getattr(named, name)(root=assets / "data" / name)
    other = "train" if half == "test" else "test"
    assert len(getattr(dataset, half)) == count
    assert list(getattr(dataset, other)) == list(dataset.val) == []
    assert dataset.test_name == (name if half == "test" else None)
    assert not caplog.records


def test_training_set_of_another_count_warns(tmp_path, caplog):
    write_pictures(tmp_path / "HR", ["a.png", "b.png"])
    write_pictures(tmp_path / "LR_bicubic" / "X2", ["a.png", "b.png"])
    dataset = named.bsds200(root=tmp_path)
    assert names(dataset.train) == ["a", "b"]
    assert "bsds200 has 200 pictures, but" in caplog.text
    assert "holds 2" in caplog.text


def test_test_set_of_another_count_is_left_to_the_baseline_gate(tmp_path, caplog):
    write_pictures(tmp_path / "HR", ["a.png", "b.png"])
    dataset = named.set5(root=tmp_path)
    assert names(dataset.test) == ["a", "b"]
    assert dataset.test_name == "set5"
    assert not caplog.records


def test_a_named_set_is_found_in_the_data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SRBENCH_DATA", str(tmp_path))
    write_pictures(tmp_path / "set5" / "HR", ["a.png", "b.png"])
    assert named.set5() == named.set5(root=tmp_path / "set5")


@pytest.mark.parametrize("name", NAMED)
def test_every_named_set_has_facts(name):
    """What is said of a set holds together: its halves, its counts, and a way to get it."""
    known = getattr(facts, name.upper())
    assert registry().find("dataset", name).read_facts() is known
    assert known.terms
    assert bool(known.archives) != bool(known.by_hand)
    assert not known.pictures or len(known.pictures) == known.counts["test"]
    assert not known.figures or "test" in known.counts
    for archive in known.archives:
        assert archive.md5 is None or len(bytes.fromhex(archive.md5)) == 16


def test_div2k_takes_its_two_folders(tmp_path, caplog):
    write_pictures(tmp_path / "DIV2K_train_HR", ["0001.png", "0002.png"])
    with pytest.raises(DatasetError, match=r"DIV2K_valid_HR is not there\. Name the folder above the two"):
        named.div2k(root=tmp_path)
    write_pictures(tmp_path / "DIV2K_valid_HR", ["0801.png"])
    dataset = named.div2k(root=tmp_path)
    assert names(dataset.train) == ["0001", "0002"]
    assert names(dataset.test) == ["0801"]
    assert dataset.test_name == "div2k"
    assert "div2k has 800 pictures, but" in caplog.text
