"""pyiqa's metrics by name, against a package of the same form: it need not be installed, nor any weights."""

import json
import random
import sys

import numpy as np
import pytest
import torch
from small import picture_folder, small_arguments, srbench

from srbench.api import MetricUnavailable, UsageError
from srbench_pyiqa import metric
from srbench_pyiqa.metric import better, facts, pyiqa

PACKAGE = """
import random, urllib.request
from pathlib import Path
import numpy as np, torch
from torch import nn

MODES = {"closeness": "FR", "farness": "FR", "dimness": "NR", "picky": "FR", "fetched": "NR", "pickled": "NR",
         "fid": "FR", "clip+": "NR"}


def list_models():
    return sorted(MODES)


class Metric(nn.Module):
    def __init__(self, name):
        super().__init__()
        self.name, self.metric_mode, self.lower_better = name, MODES[name], name in ("farness", "dimness")
        self.net = nn.Linear(2, 2)

    def forward(self, target, ref=None):
        print("a remark")
        assert target.shape[0] == 1 and (ref is None) == (self.metric_mode == "NR")
        if self.name == "picky" and min(target.shape[-2:]) < 64:
            raise AssertionError("at least 64 pixels")
        draws = torch.rand(()).item() + np.random.rand() + random.random()
        if ref is None:
            return (1 - target.mean()).reshape(1, 1)
        apart = (target - ref).abs().mean() + 0.001 * draws
        return (apart if self.lower_better else 1 - apart).reshape(1)


def create_metric(name, device=None):
    print("Loading pretrained model")
    if name == "fetched":
        urllib.request.urlopen("http://weights.invalid/fetched.pth", timeout=5)
    if name == "pickled":
        torch.load(Path(__file__).with_name("evil.pth"), weights_only=False)
    return Metric(name).to(device)
"""


class Evil:
    """What runs when it is unpickled."""

    def __reduce__(self):
        return print, ("unpickled",)


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "site" / "pyiqa"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(PACKAGE)
    torch.save(Evil(), folder / "evil.pth")
    (tmp_path / "site" / "pyiqa-9.8.dist-info").mkdir()
    (tmp_path / "site" / "pyiqa-9.8.dist-info" / "METADATA").write_text("Name: pyiqa\nVersion: 9.8\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == "pyiqa"]:
        del sys.modules[name]


@pytest.fixture(autouse=True)
def _forget():
    metric._made.cache_clear()
    metric._tell_terms.cache_clear()
    yield
    metric._made.cache_clear()


PICTURES = torch.rand(2, 3, 3, 40, 40, generator=torch.Generator().manual_seed(0))


def test_scores_direction_and_facts_are_the_package_s(package):
    sr, hr = PICTURES
    apart = (sr - hr).abs().mean((1, 2, 3)).double()
    assert (pyiqa(sr, hr, "farness") - apart).abs().max() < 0.003
    assert (pyiqa(sr, hr, "dimness") - (1 - sr.mean((1, 2, 3)))).abs().max() < 1e-6
    assert (better("farness"), better("closeness"), better("dimness")) == ("lower", "higher", "lower")
    found = facts("closeness")
    assert (found["pyiqa"], found["mode"], found["lower_better"]) == ("9.8", "FR", False)
    assert len(found["weights_sha256"]) == 64


def test_scores_are_the_same_each_time_and_no_generator_moves(package):
    sr, hr = PICTURES
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    first = pyiqa(sr, hr, "farness")
    assert torch.equal(states[0], torch.get_rng_state())
    assert (states[1] == np.random.get_state()[1]).all()
    assert states[2] == random.getstate()
    torch.rand(5), np.random.rand(), random.random()
    assert torch.equal(pyiqa(sr, hr, "farness"), first)
    assert torch.equal(pyiqa(sr[2:], hr[2:], "farness"), first[2:])
    metric._made.cache_clear()
    assert torch.equal(pyiqa(sr, hr, "farness"), first)


def test_a_picture_that_it_refuses_has_no_score_and_a_warning_says_why(package, caplog):
    sr, hr = PICTURES
    assert pyiqa(sr[:1], hr[:1], "picky").isnan().all()
    assert "picky gives no score for a picture of 40×40: AssertionError: at least 64 pixels" in caplog.text
    sr = sr.clone()
    sr[1] = torch.nan
    assert pyiqa(sr, hr, "closeness").isnan().tolist() == [False, True, False]


def test_weights_that_cannot_be_fetched_make_it_unavailable_offline_too(package, monkeypatch):
    with pytest.raises(MetricUnavailable) as raised:
        facts("fetched")
    assert str(raised.value) == (
        "pyiqa:name=fetched cannot be computed: pyiqa 9.8 cannot make it here (URLError: <urlopen error "
        "SRBENCH_OFFLINE=1 is set>). It downloads weights itself, at the first use: use it once where there "
        "is a network, or leave it out."
    )
    monkeypatch.delenv("SRBENCH_OFFLINE")
    with pytest.raises(MetricUnavailable, match="SRBENCH_OFFLINE=1 is set"):
        facts("fetched")  # tried once a process
    metric._made.cache_clear()
    with pytest.raises(MetricUnavailable, match="cannot make it here") as raised:
        facts("fetched")
    assert "SRBENCH_OFFLINE" not in str(raised.value)


def test_nothing_is_unpickled(package, capsys):
    with pytest.raises(MetricUnavailable, match="UnpicklingError"):
        facts("pickled")
    assert "unpickled" not in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("clossness", "pyiqa 9.8 has no metric 'clossness'. Did you mean 'closeness'?"),
        ("fid", "pyiqa's fid compares sets of pictures"),
    ],
)
def test_what_is_no_metric_of_a_picture_is_a_wrong_name(package, name, said):
    with pytest.raises(UsageError) as raised:
        facts(name)
    assert said in str(raised.value)


def test_without_the_package_it_says_how_to_get_it_and_under_what_terms(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyiqa", None)
    with pytest.raises(MetricUnavailable) as raised:
        facts("musiq")
    assert str(raised.value).startswith("pyiqa:name=musiq cannot be computed: the package pyiqa cannot be")
    assert (
        'pip install "srbench-harness[pyiqa]" brings it; it is licensed for noncommercial use only.'
        in str(raised.value)
    )


def test_a_run_is_scored_by_it_with_its_direction_and_its_terms_are_told(
    package, tmp_path, monkeypatch, capsys, caplog
):
    pictures = picture_folder(tmp_path / "pictures")
    names = ("farness", "closeness", "fetched", "clip+")
    more = [part for name in names for part in ("--metric", f"pyiqa:name={name}")]
    line = small_arguments(pictures, tmp_path / "results", "--channels", "rgb", *more)
    assert srbench(line, monkeypatch) == 0
    shown = capsys.readouterr()
    assert "a remark" not in shown.out
    assert "Loading" not in shown.out
    assert caplog.text.count("licensed for noncommercial use only (PolyForm Noncommercial 1.0.0)") == 1
    (summary,) = (
        json.loads(path.read_text()) for path in (tmp_path / "results").glob("lapsrn*/summary.json")
    )
    directions = {row["metric"]: (row["better"], row["plane"], row["n"]) for row in summary["scores"]}
    assert directions["pyiqa:name=farness"] == ("lower", "rgb", 2)
    assert directions["pyiqa:name=closeness"] == ("higher", "rgb", 2)
    assert "pyiqa:name=clip+" in directions
    assert "SRBENCH_OFFLINE=1" in summary["unavailable"]["pyiqa:name=fetched"]
    protocols = [one for one in summary["protocols"].values() if one["metric"] == "pyiqa"]
    assert {(one["settings"]["name"], one["facts"]["lower_better"]) for one in protocols} >= {
        ("farness", True), ("closeness", False),
    }  # fmt: skip
