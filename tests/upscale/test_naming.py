"""What typed pictures and folders become, and what they never do to each other."""

from pathlib import Path

import pytest

from srbench.errors import UsageError
from srbench.upscale.naming import named, tasks_of


@pytest.fixture
def files(tmp_path):
    def make(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
            (tmp_path / name).touch()
        return [tmp_path / name for name in names]

    return make


def names(tasks):
    return [one.target.name for one in tasks if one.error is None]


def test_a_picture_keeps_its_name(files, tmp_path):
    tasks = tasks_of(files("a.png", "b.tar.jpg", "-c"), tmp_path / "large", 4)
    assert names(tasks) == ["a_x4.png", "b.tar_x4.png", "-c_x4.png"]
    assert {one.target.parent for one in tasks} == {tmp_path / "large"}


def test_pictures_of_one_stem_keep_their_kind(files, tmp_path):
    assert names(tasks_of(files("a.png", "A.jpg", "b.png"), tmp_path / "large", 2)) == [
        "a.png_x2.png", "A.jpg_x2.png", "b_x2.png",
    ]  # fmt: skip


def test_pictures_of_one_name_are_refused_and_the_others_go_on(files, tmp_path):
    tasks = tasks_of(files("x/a.png", "y/a.png", "b.png"), tmp_path / "large", 2)
    assert names(tasks) == ["b_x2.png"]
    for one in tasks[:2]:
        assert "another of the pictures would have the same result" in str(one.error)


def test_a_picture_named_twice_is_made_once(files, tmp_path, monkeypatch):
    (a,) = files("in/a.png")
    monkeypatch.chdir(tmp_path)
    typed = [a, Path("in/a.png"), Path("in/../in/a.png"), tmp_path / "in", Path("in")]
    assert names(tasks_of(typed, tmp_path / "large", 2)) == ["a_x2.png"]


def test_a_folder_is_all_pictures_in_it(files, tmp_path):
    files("in/b.PNG", "in/a.jpg", "in/.hidden.png", "in/notes.txt", "in/c.png/d.png")
    (tmp_path / "in" / "link.tif").symlink_to(tmp_path / "in" / "a.jpg")
    assert names(tasks_of([tmp_path / "in"], tmp_path, 2)) == ["a_x2.png", "b_x2.png", "link_x2.png"]


def test_a_folder_without_pictures_is_wrong_usage(files, tmp_path):
    files("in/notes.txt")
    with pytest.raises(UsageError, match="in holds no pictures: no file in it ends in .png"):
        tasks_of([tmp_path / "in"], tmp_path, 2)


def test_results_in_the_folder_of_the_pictures_are_not_upscaled_again(files, tmp_path):
    files("a.png", "a_x2.png", "b.png")
    assert names(tasks_of([tmp_path], tmp_path, 2)) == ["a_x2.png", "b_x2.png"]
    assert names(tasks_of([tmp_path], tmp_path / "other", 2)) == ["a_x2.png", "a_x2_x2.png", "b_x2.png"]


def test_a_picture_is_never_taken_for_a_result(files, tmp_path):
    tasks = tasks_of(files("a.png", "a_x2.png"), tmp_path, 2)
    assert names(tasks) == ["a_x2_x2.png"]
    assert "would take the place of another of the pictures" in str(tasks[0].error)


def test_a_name_too_long_for_any_file_is_a_file_that_is_not_there(tmp_path):
    assert len(tasks_of([tmp_path / ("a" * 300)], tmp_path, 2)) == 1


@pytest.mark.parametrize("name", ["a\nb", "\x1b[31mred", "\u202egnp.exe", "a\udcff"])
def test_a_name_that_could_pass_for_something_else_is_quoted(name):
    assert named(Path(name)) == ascii(name)
    assert named(Path("[red]Größe 日本.png")) == "[red]Größe 日本.png"
