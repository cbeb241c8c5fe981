"""What a page says of the paths of the machine it was made on."""

from pathlib import Path

import pytest
from stored import lapsrn, runs_in, scored, store

from srbench.report.content import Looking
from srbench.report.page import page_of
from srbench.report.paths import portable, without_home


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("folder:train=/home/ann/a,test=/data/b", "folder:train=a,test=b"),
        ("/home/ann/my runs/", "my runs"),
        ("--results=/home/ann/runs", "--results=runs"),
        ("~/suite.toml", "suite.toml"),
        ("set5:root=C:\\Users\\ann\\set5", "set5:root=set5"),
        ("l1+0.1*charbonnier:eps=1e-4", None),
        ("folder:train=data/train", None),
        ("results=PosixPath('/home/ann/runs')", "results=PosixPath('runs')"),
        ("r,g,b", None),
        ("/", None),
    ],
)
def test_of_absolute_paths_the_last_part_is_said(word, said):
    assert portable(word) == (said or word)


def test_home_is_a_tilde_and_names_that_begin_like_it_stay(monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: Path("/home/ann"))
    assert without_home("neither in /home/ann/.cache nor /home/anna, but /home/ann.") == (
        "neither in ~/.cache nor /home/anna, but ~."
    )
    monkeypatch.setattr(Path, "home", lambda: Path("/"))
    assert without_home("/data/x") == "/data/x"


def test_a_page_does_not_tell_whose_machine_it_was_made_on(tmp_path, monkeypatch):
    home = tmp_path / "ann-secret"
    monkeypatch.setattr(Path, "home", lambda: home)
    spec = lapsrn()
    provenance = {"command": ["srbench", "run", f"{home}/x.toml"], "dataset": f"folder:train={home}/train"}
    store(
        home / "results", spec, scored(spec, level=28.0), status="failed", reason=f"{home}/val is gone",
        unavailable={"lpips": f"its weights are not in {home}/lpips"}, provenance=provenance,
    )  # fmt: skip
    (home / "results" / spec.id / "scores.parquet").write_bytes(b"PAR1")
    text = page_of(runs_in(home / "results"), Looking()).html()
    assert "ann-secret" not in text
    assert "srbench run x.toml" in text
    assert "--dataset folder:train=train" in text
    assert "are left out of paths" in text
