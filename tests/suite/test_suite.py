"""Suites that are sound: those of benchmarks/, paths, the schema, and what a reading gives."""

import json
import re
import shutil
import tomllib
from pathlib import Path

import pytest
from PIL import Image
from small import picture_folder

from srbench.plan import plan, together
from srbench.suite.form import Axes, Form, Scoring, SeedParts, Settings, Sitting, json_schema
from srbench.suite.read import SuiteError, read_suite

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def planned(path):
    suite = read_suite(path)
    tests = suite.options.get("test", ())
    return suite, [
        job for job in together(plan(one) for one in suite.matrix.requests(tests)) if job.spec.trained
    ]


def test_classic_is_three_losses_by_three_seeds():
    suite, jobs = planned(BENCHMARKS / "classic.toml")
    found = {(job.spec.model.name, job.spec.loss[0].name, job.spec.seed) for job in jobs}
    assert found == {("lapsrn", loss, seed) for loss in ("charbonnier", "l1", "l2") for seed in range(3)}
    assert not suite.absent


def test_quick_is_twelve_runs_on_pictures_at_hand_without_lpips():
    suite, jobs = planned(BENCHMARKS / "quick.toml")
    assert len(jobs) == 12
    assert {job.dataset.text for job in jobs} == {"sample"}
    assert {job.budget.steps for job in jobs} == {200}
    assert "lpips" not in suite.options["metric"]


def test_origin_is_how_the_project_began_and_its_pictures_lie_beside_it(tmp_path):
    shutil.copy(BENCHMARKS / "origin.toml", tmp_path)
    assert [one.line for one in read_suite(tmp_path / "origin.toml").absent] == [10]
    pictures = picture_folder(tmp_path / "tiles")
    for path in (*(pictures / "train").iterdir(), *(pictures / "test").iterdir()):
        Image.open(path).resize((128, 128)).save(path)
    suite, (job,) = planned(tmp_path / "origin.toml")
    assert not suite.absent
    spec = job.spec
    assert (spec.model.name, spec.loss[0].name, spec.channels, spec.scale) == (
        "lapsrn",
        "charbonnier",
        "r,g,b",
        4,
    )
    assert job.budget.epochs == 200
    assert len(job.dataset.pictures.train) == 3  # a tile each: one patch of an epoch
    assert suite.options["max_time"] == "12h"


@pytest.mark.parametrize("path", sorted(BENCHMARKS.glob("*.toml")), ids=lambda path: path.name)
def test_every_suite_of_the_repository_is_sound_and_says_what_it_is_for(path):
    suite = read_suite(path)
    assert suite.matrix.combinations()
    assert Form.model_validate(tomllib.loads(path.read_text())).description


def test_relative_paths_begin_at_the_file_wherever_one_stands(tmp_path, monkeypatch):
    picture_folder(tmp_path / "here" / "pictures")
    file = tmp_path / "here" / "suite.toml"
    file.write_text(
        '[axes]\nmodel = "espcn"\n'
        'dataset = "folder:train=pictures/train"\n'
        '[settings]\npatch = 16\n[scoring]\ntest = "folder:test=pictures/test"\n'
    )
    monkeypatch.chdir(tmp_path)
    suite, (job,) = planned(Path("here/suite.toml"))
    assert not suite.absent
    assert [test.name for test in job.tests] == ["test"]
    assert str(tmp_path / "here" / "pictures" / "train") in job.dataset.anywhere


def test_settings_for_some_runs_enter_their_specs(tmp_path):
    file = tmp_path / "suite.toml"
    file.write_text(
        '[axes]\nmodel = ["espcn", "srcnn"]\nseed = [0, {init = 1}]\n[settings]\nsteps = 7\n'
        '[[when]]\nmodel = "srcnn"\nsettings.lr = 0.5\nsettings.steps = 9\n'
    )
    _, jobs = planned(file)
    assert {(job.spec.model.name, job.spec.learning_rate, job.budget.steps) for job in jobs} == {
        ("espcn", 1e-3, 7), ("srcnn", 0.5, 9),
    }  # fmt: skip
    assert len(jobs) == 4


PAGE = (BENCHMARKS.parent / "docs" / "suites.md").read_text(encoding="utf-8")


def test_the_suite_of_the_page_is_sound_and_spans_what_it_says(tmp_path):
    (tmp_path / "page.toml").write_text(re.search(r"^```toml\n(.*?)^```", PAGE, re.M | re.S)[1])
    suite = read_suite(tmp_path / "page.toml")
    runs = suite.matrix.combinations()
    assert len(runs) == 2 * 3 * 3 - 3 + 3
    of_lapsrn = [suite.matrix.settings_for(run) for run in runs if run["model"] == "lapsrn"]
    assert of_lapsrn == [{"steps": 2000, "batch": 8, "lr": 5e-4}] * 9
    assert suite.options["max_time"] == "11h30m"


def test_the_mistakes_that_the_page_shows_are_told_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.toml").write_text(
        '[axes]\nmodel = ["lapsm", "lapsrn"]\n\nscale = [2, 3]\n\n[settings]\nlr = "1e-3"\n'
    )
    with pytest.raises(SuiteError) as caught:
        read_suite("mine.toml")
    assert f"```\n{caught.value}\n```" in PAGE


def test_the_page_names_every_table_and_key():
    words = set(re.findall(r"`\[*([\w.]+)\]*`", PAGE))
    tables = [name for name in Form.model_fields if name != "description"]
    assert words >= set(tables)
    for form in (Axes, Settings, Scoring, Sitting, SeedParts):
        assert words >= set(form.model_fields)


def test_the_schema_explains_every_key_and_knows_no_other():
    schema = json_schema()
    tables = [schema, *schema["$defs"].values()]
    for table in tables:
        assert table["additionalProperties"] is False
        assert all(one.get("description") or "$ref" in one for one in table["properties"].values())
    assert set(schema["properties"]) == set(Form.model_fields)
    assert "null" not in json.dumps(schema)
    assert schema["$defs"]["Axes"]["properties"]["loss"]["anyOf"][1]["type"] == "array"
