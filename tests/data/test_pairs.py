"""Pairs: LR pictures that are files, held against their HR pictures, and used wherever LR is."""

import json
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data
from small import (
    picture_folder,
    settings,
    small_arguments,
    small_job,
    srbench,
    train_whole_and_in_parts,
)

from srbench.datasets import build_dataset
from srbench.errors import DatasetError
from srbench.executors.local import execute
from srbench.explain.sources import RunSource
from srbench.images.png import read_picture, to_tensor, write_png
from srbench.images.resize import bicubic
from srbench.images.tiles import TileStore, lr_of, read_rgb
from srbench.pairs import examine
from srbench.prove.hashes import hashes
from srbench.store.runs import find_run, read_summary
from srbench.store.scores import read_scores
from srbench.train.stop import Stop
from srbench.types import Dataset, Picture

CPU = torch.device("cpu")
DEGRADE = bicubic()


def never(hr, scale):
    raise AssertionError("HR is degraded, and there is an LR file")


def darker(hr):
    """LR that no degradation of srbench makes: ×4 and half as bright."""
    return DEGRADE(hr, 4) / 2


def paired_folder(root: Path, make=lambda hr: DEGRADE(hr, 4), pattern: str = "{name}") -> Path:
    """`root` with train/, val/ and test/, and the LR pictures in train_lr/, val_lr/ and test_lr/."""
    picture_folder(root)
    for path in sorted(root.glob("*/*.png")):
        lr = make(read_rgb(Picture(path.stem, path), 4))
        write_png(root / f"{path.parent.name}_lr" / f"{pattern.replace('{name}', path.stem)}.png", lr)
    return root


def paired_text(root: Path, more: str = "") -> str:
    halves = ("train", "val", "test")
    given = ",".join(f"{half}={root / half},{half}_lr={root / f'{half}_lr'}" for half in halves)
    return f"folder:{given}{more}"


# What is wrong with them


@pytest.fixture
def photographs(tmp_path):
    """Six photographs of 256×256 in hr/, and their ×4 LR in lr/."""
    shots = {
        "astronaut": data.astronaut(), "brick": data.brick(), "cat": data.chelsea(),
        "coffee": data.coffee(), "grass": data.grass(), "rocket": data.rocket(),
    }  # fmt: skip
    for name, pixels in shots.items():
        (tmp_path / "hr").mkdir(exist_ok=True)
        Image.fromarray(pixels[:256, :256]).save(tmp_path / "hr" / f"{name}.png")
        write_png(tmp_path / "lr" / f"{name}.png", DEGRADE(to_tensor_of(pixels[:256, :256]), 4))
    return tmp_path


def to_tensor_of(pixels):
    return to_tensor(np.ascontiguousarray(pixels))


def text_of(root):
    return f"folder:test={root / 'hr'},test_lr={root / 'lr'}"


def test_sound_pairs_are_taken_without_a_word(photographs, caplog):
    built = build_dataset(text_of(photographs), 4)
    assert [one.lr.name for one in built.test.pictures] == [one.hr.name for one in built.test.pictures]
    assert not caplog.text


def test_a_missing_an_extra_a_swapped_a_wrongly_sized_and_a_shifted_picture_are_each_named(
    photographs, monkeypatch, capsys
):
    lr = photographs / "lr"
    (lr / "astronaut.png").unlink()
    (lr / "stray.png").write_bytes((lr / "grass.png").read_bytes())
    brick, cat = (lr / "brick.png").read_bytes(), (lr / "cat.png").read_bytes()
    (lr / "brick.png").write_bytes(cat)
    (lr / "cat.png").write_bytes(brick)
    Image.open(lr / "rocket.png").resize((60, 64)).save(lr / "rocket.png")
    # Half an LR pixel at ×4 is two HR pixels: HR moved up by two.
    moved = np.concatenate([data.coffee()[2:256, :256], data.coffee()[256:258, :256]])
    write_png(lr / "coffee.png", DEGRADE(to_tensor_of(moved), 4))

    with pytest.raises(DatasetError) as error:
        build_dataset(text_of(photographs), 4)
    said = str(error.value)
    assert f"astronaut has no LR picture: {lr / 'astronaut.png'} is missing" in said
    assert f"{lr / 'stray.png'} is of no picture" in said
    assert f"{lr / 'brick.png'} shows another picture than brick: their correlation is" in said
    assert f"{lr / 'cat.png'} shows another picture than cat" in said
    assert "that of brick is 1.00" in said
    assert f"{lr / 'rocket.png'} is 60×64, and rocket (256×256) at ×4 needs 64×64" in said
    assert f"{lr / 'coffee.png'} lies -0.50 LR pixels down and +0.00 right of coffee" in said
    assert "grass" not in said

    assert srbench(["data", "verify", text_of(photographs), "--scale", "4"], monkeypatch) == 1
    out = capsys.readouterr().out
    assert out.count("\n") == 7
    assert "do NOT go together: 4 pairs compared" in out
    assert srbench(["data", "verify", text_of(photographs), "--scale", "4", "--json"], monkeypatch) == 1
    found = json.loads(capsys.readouterr().out)["pairs"]
    assert (len(found["faults"]), len(found["doubts"])) == (4, 2)


def test_what_may_be_meant_is_a_warning(photographs, caplog):
    """LR of a whole set beside a part of its HR, and LR of a camera that is a little off."""
    (photographs / "hr" / "grass.png").unlink()
    moved = np.roll(data.coffee(), 3, axis=1)[:256, :256]
    write_png(photographs / "lr" / "coffee.png", DEGRADE(to_tensor_of(moved), 4))
    assert len(build_dataset(text_of(photographs), 4).test.pictures) == 5
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "grass.png is of no picture" in record.getMessage()
    assert "coffee.png lies +0.00 LR pixels down and +0.75 right of coffee" in record.getMessage()


@pytest.mark.parametrize("shift", [(0, 0), (1, -1)])
def test_blur_and_noise_are_no_shift_and_a_shift_below_half_a_pixel_is_none(photographs, shift):
    rng = np.random.default_rng(0)
    for path in sorted((photographs / "hr").iterdir()):
        pixels = np.roll(read_picture(Picture("", path)), shift, axis=(0, 1))
        lr = DEGRADE(to_tensor_of(pixels), 4)
        lr = torch.nn.functional.avg_pool2d(lr, 3, 1, 1, count_include_pad=False)
        lr = lr + torch.from_numpy(rng.normal(0, 8 / 255, lr.shape)).float()
        write_png(photographs / "lr" / path.name, lr)
    found = examine(build_dataset(text_of(photographs), 4).pictures, 4)
    assert found.looked_at == 6
    assert not found.faults
    assert not found.doubts


def test_flat_pictures_are_not_judged(tmp_path):
    flat = np.full((64, 64, 3), 200, np.uint8)
    pair = Picture("sky", flat, lr=flat[:16, :16] - 60)
    assert not examine(Dataset(test=[pair]), 4).faults


def test_a_half_with_some_pairs_is_refused():
    pixels = data.astronaut()[:64, :64]
    pictures = [Picture("a", pixels, lr=pixels[:16, :16]), Picture("b", pixels)]
    with pytest.raises(DatasetError, match="1 of 2 pictures have no LR picture, b first"):
        examine(Dataset(test=pictures), 4)


def test_many_faults_are_counted(photographs):
    for path in (photographs / "lr").iterdir():
        Image.open(path).resize((20, 20)).save(path)
        for at in range(3):
            (path.parent / f"{path.stem}{at}.png").write_bytes(path.read_bytes())
    with pytest.raises(DatasetError, match=r"; and 16 more\. Correct the files"):
        build_dataset(text_of(photographs), 4)


# Where they are used


def test_lr_is_the_file_and_an_odd_hr_is_cut_to_a_multiple(tmp_path):
    pixels = data.astronaut()[:67, :70]
    lr = data.coffee()[:16, :17]
    picture = Picture("a", pixels, lr=lr)
    hr = read_rgb(picture, 4)
    assert torch.equal(lr_of(picture, hr, 4, never), to_tensor_of(lr))
    with pytest.raises(DatasetError, match="The LR picture of 'a' is 17×16, and a at ×2 needs 35×33"):
        lr_of(picture, read_rgb(picture, 2), 2, never)


def test_a_tile_takes_its_part_of_lr():
    pixels, lr = data.astronaut()[:64, :64], data.coffee()[:16, :16]
    tile = Picture("a@32+16", pixels, (32, 16, 16, 32), lr)
    assert torch.equal(lr_of(tile, read_rgb(tile, 4), 4, never), to_tensor_of(lr[8:12, 4:12]))
    askew = replace(tile, box=(2, 0, 16, 16))
    with pytest.raises(DatasetError, match="'a@32\\+16' begins between two pixels of its LR picture at ×4"):
        lr_of(askew, read_rgb(askew, 4), 4, never)


def test_lr_of_the_size_of_hr_is_reduced_by_the_degradation():
    pixels, lr = data.astronaut()[:66, :64], data.coffee()[:66, :64]
    picture = Picture("a", pixels, lr=lr, same_size=True)
    hr = read_rgb(picture, 4)
    assert torch.equal(lr_of(picture, hr, 4, DEGRADE), DEGRADE(to_tensor_of(lr[:64]), 4))


def test_patches_are_cut_jointly_from_lr_and_hr_and_turned_alike():
    """LR is HR's own nearest neighbours here, so every patch says where it is from."""
    pixels = data.astronaut()[:64, :48]
    pictures = [Picture("a", pixels, lr=np.ascontiguousarray(pixels[::4, ::4]))]
    store = TileStore(pictures, [4], never, 16, CPU)
    assert store._levels[1].dtype == torch.uint8
    for turn in range(8):
        batch = store.batch(
            np.array([0]), np.array([[7, 5]], np.uint64), np.array([turn]), np.zeros(1, np.uint64)
        )
        matches = [
            torch.equal(batch.lr, batch.hr[4][..., top::4, left::4]) for top in (0, 3) for left in (0, 3)
        ]
        assert sum(matches) == 1


def test_the_hash_of_a_set_covers_its_lr(tmp_path):
    paired = build_dataset(paired_text(paired_folder(tmp_path / "a")), 4)
    other = build_dataset(paired_text(paired_folder(tmp_path / "b", darker)), 4)
    alone = build_dataset(f"folder:train={tmp_path / 'a' / 'train'}", 4)
    assert len({one.spec.sha256 for one in (paired, other, alone)}) == 3
    assert paired.spec.params == alone.spec.params
    assert paired.test.sha256 != other.test.sha256


# End to end


def test_a_run_on_pairs_stopped_and_resumed_ends_with_the_same_bytes(tmp_path):
    job = small_job(tmp_path / "set", datasets=(paired_text(paired_folder(tmp_path / "set", darker)),))
    train_whole_and_in_parts(job, tmp_path)
    assert hashes(tmp_path / "parts") == hashes(tmp_path / "whole")


def test_the_scores_of_pairs_are_of_their_lr_and_never_stand_beside_those_of_degraded_hr(
    tmp_path, monkeypatch, capsys
):
    """LR at half brightness costs bicubic most of its PSNR; and its protocol is another one."""
    root, results = paired_folder(tmp_path / "set", darker), tmp_path / "results"
    arguments = small_arguments(root, results, "--metric", "detail,lr_consistency")
    at = arguments.index("--dataset") + 1
    assert srbench(arguments, monkeypatch) == 0
    arguments[at] = paired_text(root)
    assert srbench(arguments, monkeypatch) == 0
    assert (
        srbench(["eval", "bicubic", "--test", paired_text(root), "--results", str(results)], monkeypatch) == 0
    )
    capsys.readouterr()

    stored, protocols = read_scores(find_run(results, "bicubic").paths)
    by_lr: dict[str, list[float]] = {}
    for score in stored:
        if score.metric == "psnr" and score.scale == 4:
            by_lr.setdefault(protocols[score.protocol]["degradation"], []).append(score.value)
    assert set(by_lr) == {"bicubic:round=true", "LR files"}
    assert np.mean(by_lr["LR files"]) < np.mean(by_lr["bicubic:round=true"]) - 5

    runs = [find_run(results, one.name) for one in results.iterdir() if one.name.startswith("lapsrn")]
    alone, paired = sorted(runs, key=lambda run: "lr=" in run.record.provenance["dataset"])
    _, protocols = read_scores(paired.paths)
    assert {one["degradation"] for one in protocols.values()} == {
        "LR files", "LR files, inner reference by bicubic:round=true",
    }  # fmt: skip
    assert "lr_consistency" not in {one["metric"] for one in protocols.values()}
    assert "lr_consistency" in {one["metric"] for one in read_scores(alone.paths)[1].values()}
    assert list(read_summary(paired.paths)["unavailable"]) == ["lr_consistency"]

    assert srbench(["table", "--results", str(results), "--format", "md"], monkeypatch) == 0
    shown = capsys.readouterr().out
    assert "LR files" in shown
    assert "how the LR files of the test set were made is not known" in shown
    assert (
        srbench(
            ["verdict", paired.id, "--results", str(results), "--map", str(tmp_path / "maps")], monkeypatch
        )
        == 0
    )
    assert len(list((tmp_path / "maps").rglob("*.npz"))) == 4
    assert srbench(["probe", paired.id, "--results", str(results)], monkeypatch) == 0


def test_explain_takes_lr_from_the_files_alone(tmp_path):
    root = paired_folder(tmp_path / "set", darker)
    job = small_job(root, datasets=(paired_text(root),))
    execute([job], tmp_path / "results", settings(), Stop())
    test = build_dataset(paired_text(root), 4).test
    source = RunSource(find_run(tmp_path / "results", "lapsrn"), test, None, CPU)
    assert [one.label for one in source.axes["LR"]] == ["LR from files"]
    assert [one.apply.lr_scale for one in source.axes["scale"]] == [4, 4]
