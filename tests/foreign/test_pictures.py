"""A folder of SR pictures: matched by name, refused unless whole, scored as the predictions they are."""

import json
import shutil

import pytest
from PIL import Image
from small import picture_folder, small_arguments, srbench

from srbench.datasets import build_dataset
from srbench.errors import DatasetError, UsageError
from srbench.foreign.pictures import Pictures, folder_hash


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return picture_folder(tmp_path_factory.mktemp("pictures"))


@pytest.fixture
def test_set(pictures):
    return build_dataset(f"folder:test={pictures / 'test'}").test


def sr_folder(pictures, folder, names=("face", "tissue")):
    """SR pictures of the test set: HR taken down and up again by Pillow."""
    folder.mkdir(parents=True)
    for name, file in zip(names, ("face", "tissue"), strict=True):
        hr = Image.open(pictures / "test" / f"{file}.png")
        hr.resize((hr.width // 4, hr.height // 4)).resize(hr.size).save(folder / f"{name}.png")
    return folder


def arguments(folder, pictures, results, *more):
    return [
        "eval", "--pictures", str(folder), "--scale", "4", "--test", f"folder:test={pictures / 'test'}",
        "--metric", "psnr,ssim", "--results", str(results), *more,
    ]  # fmt: skip


def rows(results, monkeypatch, capsys):
    capsys.readouterr()
    assert srbench(["table", "--format", "json", "--results", str(results)], monkeypatch) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    "names",
    [
        ("face", "tissue"),
        ("face_x4", "tissue_x4"),
        ("facex4", "tissue-x4"),
        ("face_SR", "tissue_sr"),
        ("face_x4_SR", "tissue_out"),
        ("face_4x", "tissue.x4"),
    ],
)
def test_names_are_matched(pictures, test_set, tmp_path, names):
    found = Pictures(sr_folder(pictures, tmp_path / "sr", names), [test_set], 4)
    assert found.extra == []


def test_pictures_of_a_run_score_as_the_run(pictures, tmp_path, monkeypatch, capsys):
    """What a run saved, scored as foreign pictures, gives its numbers at the run scale, all planes."""
    results = tmp_path / "results"
    own = small_arguments(pictures, results, "--save-images", "2", "--metric", "psnr,ssim")
    assert srbench(own, monkeypatch) == 0
    (saved,) = results.glob("lapsrn*/images/test/x4")
    assert srbench(arguments(saved, pictures, results, "--name", "saved"), monkeypatch) == 0
    values = {}
    for row in rows(results, monkeypatch, capsys):
        if row["scale"] == 4:
            score = (pytest.approx(row["value"], abs=1e-9), row["protocol"])
            values.setdefault(row["model"], {})[row["metric"], row["plane"]] = score
    assert set(values) == {"bicubic", "lapsrn", "saved"}
    assert {key: one[1] for key, one in values["saved"].items()} == {
        key: one[1] for key, one in values["lapsrn"].items()
    }
    assert all(values["lapsrn"][key][0] == one[0].expected for key, one in values["saved"].items())


def test_hr_itself_is_infinite_and_left_out_with_a_count(pictures, tmp_path, monkeypatch, capsys):
    assert srbench(arguments(pictures / "test", pictures, tmp_path / "results"), monkeypatch) == 0
    found = [one for one in rows(tmp_path / "results", monkeypatch, capsys) if one["model"] == "test"]
    assert {(one["metric"], one["value"], one["n"]) for one in found} == {("psnr", None, 0), ("ssim", 1.0, 2)}


def test_nothing_is_scored_until_the_set_is_whole(pictures, tmp_path, monkeypatch, capsys):
    folder, results = sr_folder(pictures, tmp_path / "sr"), tmp_path / "results"
    (folder / "tissue.png").rename(folder / "issue.png")
    face = Image.open(folder / "face.png")
    face.resize((face.width - 4, face.height)).save(folder / "face.png")
    assert srbench(arguments(folder, pictures, results), monkeypatch) == 2
    err = " ".join(capsys.readouterr().err.split())
    assert "Nothing is scored of" in err
    assert "1 of the 2 pictures of test missing in" in err
    assert ": tissue;" in err
    assert "face.png is 52×64, and face of test at ×4 is 56×64" in err
    assert "Files that match no picture: issue.png." in err
    assert "--allow-missing" in err
    assert not results.exists()


def test_allow_missing_scores_what_is_there_with_a_note(pictures, tmp_path, monkeypatch, capsys):
    folder, results = sr_folder(pictures, tmp_path / "sr"), tmp_path / "results"
    (folder / "tissue.png").unlink()
    assert (
        srbench(arguments(folder, pictures, results, "--name", "half", "--allow-missing"), monkeypatch) == 0
    )
    found = {one["n"] for one in rows(results, monkeypatch, capsys) if one["model"] == "half"}
    assert found == {1}
    assert srbench(["table", "--format", "md", "--results", str(results)], monkeypatch) == 0
    assert "1 of 2 pictures left out" in capsys.readouterr().out
    (folder / "face.png").unlink()
    shutil.copy(pictures / "test" / "face.png", folder / "other.png")
    assert srbench(arguments(folder, pictures, results, "--allow-missing"), monkeypatch) == 2


def test_extra_files_are_named_and_left_out(pictures, tmp_path, monkeypatch, capsys):
    folder, results = sr_folder(pictures, tmp_path / "sr"), tmp_path / "results"
    shutil.copy(folder / "face.png", folder / "face_x2.png")
    assert srbench(arguments(folder, pictures, results), monkeypatch) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert f"Left out of {folder}, since no picture of test is called so: face_x2.png." in said
    assert {one["n"] for one in rows(results, monkeypatch, capsys)} == {2}


def test_two_files_for_one_picture_are_refused(pictures, test_set, tmp_path):
    folder = sr_folder(pictures, tmp_path / "sr", ("face_x4", "tissue"))
    shutil.copy(folder / "face_x4.png", folder / "face_SR.png")
    with pytest.raises(DatasetError, match="Both face_SR.png and face_x4.png .* could be face of test"):
        Pictures(folder, [test_set], 4)
    shutil.copy(folder / "face_x4.png", folder / "face.png")  # the name itself goes before
    assert Pictures(folder, [test_set], 4).extra == ["face_SR.png", "face_x4.png"]


def test_two_formats_of_one_picture_are_refused(pictures, test_set, tmp_path):
    folder = sr_folder(pictures, tmp_path / "sr")
    Image.open(folder / "face.png").save(folder / "face.bmp")
    with pytest.raises(DatasetError, match="Both face.bmp and face.png .* could be face of test"):
        Pictures(folder, [test_set], 4)


def test_one_file_for_two_pictures_is_refused(tmp_path):
    for name in ("hr/face", "hr/face_x4", "sr/face_SR"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8)).save(tmp_path / f"{name}.png")
    test = build_dataset(f"folder:test={tmp_path / 'hr'}").test
    with pytest.raises(DatasetError, match="face_SR.png in .* could be both face and face_x4 of hr"):
        Pictures(tmp_path / "sr", [test], 4)


def test_a_folder_that_is_called_as_a_picture_is_none(pictures, test_set, tmp_path):
    folder = sr_folder(pictures, tmp_path / "sr")
    before = folder_hash(folder)
    (folder / "more.png").mkdir()
    assert folder_hash(folder) == before
    assert Pictures(folder, [test_set], 4).extra == []


def test_a_wrong_size_is_not_mended_by_leaving_pictures_out(pictures, test_set, tmp_path):
    folder = sr_folder(pictures, tmp_path / "sr")
    Image.new("RGB", (8, 8)).save(folder / "face.png")
    with pytest.raises(DatasetError) as error:
        Pictures(folder, [test_set], 4)
    assert "face.png is 8×8, and face of test at ×4 is" in str(error.value)
    assert "--allow-missing" not in str(error.value)


def test_a_folder_for_each_test_set(pictures, test_set, tmp_path):
    sr_folder(pictures, tmp_path / "sr" / "test")
    assert Pictures(tmp_path / "sr", [test_set], 4).extra == []


def test_content_not_place_makes_the_hash(pictures, tmp_path):
    one, other = (sr_folder(pictures, tmp_path / name) for name in ("a", "b"))
    assert folder_hash(one) == folder_hash(other)
    (other / "face.png").rename(other / "grace.png")
    assert folder_hash(one) != folder_hash(other)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="holds no pictures"):
        folder_hash(tmp_path / "empty")
    with pytest.raises(UsageError, match="is no folder"):
        folder_hash(tmp_path / "nowhere")


def test_settings_of_networks_do_not_apply(pictures, tmp_path, monkeypatch, capsys):
    folder = sr_folder(pictures, tmp_path / "sr")
    assert srbench(arguments(folder, pictures, tmp_path / "results", "--self-ensemble"), monkeypatch) == 2
    assert "--tile and --self-ensemble are for networks" in " ".join(capsys.readouterr().err.split())
    assert [path.name.split("-")[0] for path in (tmp_path / "results").iterdir()] == ["bicubic"]
