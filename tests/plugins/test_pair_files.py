"""Which LR file belongs to which HR picture: folders, patterns, DIV2K, and the words of each error."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from srbench.datasets import build_dataset
from srbench.errors import DatasetError
from srbench_datasets import named
from srbench_datasets.folder import folder


def write(top: Path, *files: str, side: int = 32) -> Path:
    for file in files:
        (top / file).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((side, side), np.uint8)).save(top / file)
    return top


def pairs(pictures, top):
    return {one.name: one.lr.relative_to(top).as_posix() for one in pictures}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (("a.png", "sub/b.jpg"), {"a": "lr/a.png", "sub/b": "lr/sub/b.jpg"}),
        (("ax4.png", "sub/bx4.bmp"), {"a": "lr/ax4.png", "sub/b": "lr/sub/bx4.bmp"}),
        (("a.png", "ax4.png", "sub/b.png"), {"a": "lr/a.png", "sub/b": "lr/sub/b.png"}),
    ],
)
def test_a_folder_of_lr_has_the_names_of_hr_or_these_with_the_scale(tmp_path, files, expected):
    write(tmp_path / "hr", "a.png", "sub/b.png")
    write(tmp_path / "lr", *files)
    found = folder(test=tmp_path / "hr", test_lr=tmp_path / "lr", scale=4)
    assert pairs(found.test, tmp_path) == expected


def test_each_half_has_its_own_lr_and_a_split_folder_takes_it_along(tmp_path):
    write(tmp_path, "train/a.png", "train_lr/a.png", "val/b.png", "test/c.png", "test_lr/cx2.png")
    found = folder(
        train=tmp_path / "train", train_lr=tmp_path / "train_lr", val=tmp_path / "val",
        test=tmp_path / "test", test_lr=tmp_path / "test_lr", scale=2,
    )  # fmt: skip
    assert pairs(found.train, tmp_path) == {"a": "train_lr/a.png"}
    assert found.val[0].lr is None
    assert pairs(found.test, tmp_path) == {"c": "test_lr/cx2.png"}
    names = [f"{number}.png" for number in range(5)]
    write(tmp_path / "all", *names)
    write(tmp_path / "small", *names)
    split = folder(root=tmp_path / "all", lr=tmp_path / "small", scale=2)
    assert (len(split.train), len(split.test)) == (4, 1)
    assert all(one.lr.name == one.hr.name for one in (*split.train, *split.test))


def test_hr_is_another_word_for_root(tmp_path):
    write(tmp_path / "hr", "a.png", "b.png")
    write(tmp_path / "lr", "a.png", "b.png", side=16)
    one, other = (
        build_dataset(f"folder:{word}={tmp_path}/hr,lr={tmp_path}/lr", 2) for word in ("hr", "root")
    )
    assert one.spec == other.spec
    assert one.pictures.train == other.pictures.train
    with pytest.raises(DatasetError, match="hr and root are two words for one folder"):
        folder(root=tmp_path / "hr", hr=tmp_path / "hr")


def test_patterns_name_hr_and_lr_that_lie_in_one_folder(tmp_path):
    """As RealSR has them."""
    for half in ("Train", "Test"):
        write(tmp_path / half / "4", "Canon_001_HR.png", "Canon_001_LR4.png", "Canon_002_HR.png")
        write(tmp_path / half / "4", "Canon_002_LR4.png", "Canon_009_LR4.png", "notes.png")
    found = folder(
        train=tmp_path / "Train/{scale}/{name}_HR.png",
        train_lr=tmp_path / "Train/{scale}/{name}_LR{scale}.png",
        test=tmp_path / "Test/4/{name}_HR", test_lr=tmp_path / "Test/4/{name}_LR4", scale=4,
    )  # fmt: skip
    expected = {f"Canon_{number}": f"4/Canon_{number}_LR4.png" for number in ("001", "002")}
    assert pairs(found.train, tmp_path / "Train") == expected
    assert pairs(found.test, tmp_path / "Test") == expected
    assert [path.name for path in found.unpaired] == ["Canon_009_LR4.png"] * 2


def test_tiles_take_lr_along(tmp_path):
    write(tmp_path, "hr/a.png", side=64)
    write(tmp_path, "lr/a.png", side=16)
    found = folder(train=tmp_path / "hr", train_lr=tmp_path / "lr", tile=32, scale=4)
    assert [one.box for one in found.train] == [(t, left, 32, 32) for t in (0, 32) for left in (0, 32)]
    assert {one.lr for one in found.train} == {tmp_path / "lr" / "a.png"}
    with pytest.raises(DatasetError, match=r"tile=30 is no multiple of the scale 4.* Take tile=32\."):
        folder(train=tmp_path / "hr", train_lr=tmp_path / "lr", tile=30, scale=4)


def test_a_missing_lr_keeps_the_place_where_it_should_be(tmp_path):
    write(tmp_path, "hr/a.png", "hr/b.png", "lr/ax4.png")
    found = folder(test=tmp_path / "hr", test_lr=tmp_path / "lr", scale=4)
    assert pairs(found.test, tmp_path) == {"a": "lr/ax4.png", "b": "lr/bx4.png"}


@pytest.mark.parametrize(
    ("given", "scale", "words"),
    [
        ({"test": "hr", "train_lr": "lr"}, 4, r"train_lr=.* those in train=, which is not there"),
        ({"test": "hr", "test_lr": "lr"}, None, r"of one scale, and which is not known here\. Give --scale"),
        ({"test": "hr/{scale}/{name}"}, None, r"has \{scale\} in it, and which scale is meant is not known"),
        ({"test": "hr", "test_lr": "nowhere"}, 4, r"The folder test_lr=.*nowhere does not exist"),
        ({"test": "hr", "test_lr": "other"}, 4, r"no LR picture of any of the 1 HR .* looks for a or ax4"),
        ({"test": "hr", "test_lr": "lr/{name}_LR.png"}, 4, r"looks for a_LR\.png"),
        ({"test": "hr/{name}_HR.png"}, 4, r"fits the pattern test=.*; there is .*a\.png, for one"),
        ({"test": ".", "test_lr": "lr"}, 4, r"all of whose pictures are taken for HR.*\{name\}_HR"),
        ({"train": "hr/{name}", "test": "hr/{name}.png"}, 4, r"train= and test= both name .*a\.png"),
        ({"test": "hr", "same_size": True}, 4, r"same_size=true is about LR pictures that are files"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said(tmp_path, given, scale, words):
    write(tmp_path, "hr/a.png", "lr/a.png", "other/z.png")
    paths = {key: tmp_path / value if isinstance(value, str) else value for key, value in given.items()}
    with pytest.raises(DatasetError, match=words):
        folder(**paths, scale=scale)


def test_lr_of_the_size_of_hr_is_taken_only_where_that_is_said(tmp_path):
    write(tmp_path, "hr/a.png", "lr/a.png")
    text = f"folder:test={tmp_path / 'hr'},test_lr={tmp_path / 'lr'}"
    with pytest.raises(DatasetError, match=r"is 32×32, the size of HR: same_size=true takes it so, and a"):
        build_dataset(text, 4)
    (picture,) = build_dataset(f"{text},same_size=true", 4).test.pictures
    assert picture.same_size


def test_a_relative_pattern_is_kept_absolute(tmp_path, monkeypatch):
    write(tmp_path, "hr/a.png")
    write(tmp_path, "lr/ax4.png", side=8)
    monkeypatch.chdir(tmp_path)
    built = build_dataset('folder:train=hr,train_lr="lr/{name}x{scale}.png"', 4)
    assert built.anywhere == f"folder:train={tmp_path}/hr,train_lr={tmp_path}/lr/{{name}}x{{scale}}.png"
    assert built.params == {"split": 0.2, "tile": None}


@pytest.mark.parametrize("track", ["bicubic", "unknown"])
def test_div2k_takes_the_lr_of_a_track_and_scale(tmp_path, track):
    write(tmp_path, "DIV2K_train_HR/0001.png", "DIV2K_valid_HR/0801.png")
    for half, number in (("train", "0001"), ("valid", "0801")):
        for scale in (2, 4):
            place = f"DIV2K_{half}_LR_{track}/X{scale}/{number}x{scale}.png"
            write(tmp_path, place, side=32 // scale)
    found = named.div2k(root=tmp_path, lr=track, scale=4)
    assert pairs(found.train, tmp_path) == {"0001": f"DIV2K_train_LR_{track}/X4/0001x4.png"}
    assert pairs(found.test, tmp_path) == {"0801": f"DIV2K_valid_LR_{track}/X4/0801x4.png"}
    assert found.test_name == f"div2k-{track}"
    assert not found.unpaired
    built = build_dataset(f"div2k:root={tmp_path},lr={track}", 2)
    assert built.params == {"lr": track}
    assert build_dataset(f"div2k:root={tmp_path}", 2).params == {}
    with pytest.raises(DatasetError, match="X3"):
        named.div2k(root=tmp_path, lr=track, scale=3)
