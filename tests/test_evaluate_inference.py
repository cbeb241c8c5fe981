"""Border, tiles and self-ensemble: what they change, that the protocol says so, and short memory."""

import json

import pytest
import torch
from small import picture_folder, small_arguments, srbench
from torch import nn

from srbench.datasets import build_dataset
from srbench.errors import SrbenchError, UsageError
from srbench.evaluate import evaluate
from srbench.evaluate.scoring import Scoring, resolve_metrics
from srbench.inference import Inference
from srbench.plan import untrained_spec
from srbench.plan.terms import component_spec
from srbench.predict import NetworkUpscaler
from srbench.store.layout import RunPaths
from srbench.store.scores import read_scores

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return picture_folder(tmp_path_factory.mktemp("pictures"))


def test_each_setting_is_a_protocol_of_its_own(pictures, tmp_path, monkeypatch):
    settings = {
        "default": [], "border": ["--border", "6"], "ensemble": ["--self-ensemble"],
        "tiles": ["--tile", "16", "--overlap", "8"], "spelt out": ["--border", "scale"],
    }  # fmt: skip
    found = {}
    for name, more in settings.items():
        arguments = small_arguments(pictures, tmp_path, *more)
        arguments[arguments.index("lapsrn:features=4,depth=1")] = "bicubic"
        assert srbench(arguments, monkeypatch) == 0
        (summary,) = [json.loads(path.read_text()) for path in tmp_path.glob("bicubic*/summary.json")]
        found[name] = {
            score["protocol"] for score in summary["scores"] if (score["scale"], score["plane"]) == (4, "y")
        }
    # Bicubic ×4 of the default protocol, as it was before there were settings.
    assert found["default"] == {"bf22a0fe"}
    assert [len(found[name]) for name in settings] == [1, 2, 3, 4, 4]
    protocols = [summary["protocols"][one] for one in found["tiles"]]
    assert sorted(one["border"] for one in protocols) == [4, 4, 4, 6]
    tiled = {"precision": "fp32", "tile": 16, "overlap": 8, "self_ensemble": False}
    assert tiled in [one["inference"] for one in protocols]
    values = {score["protocol"]: score["mean"] for score in summary["scores"]}
    assert len(set(values.values())) > 4


def test_tiles_are_refused_before_training_where_they_cannot_be(pictures):
    with pytest.raises(
        UsageError, match="--tile 64 cannot be: the plugin of this model says that it must see"
    ):
        NetworkUpscaler({"rgb": nn.Identity()}, "rgb", 2, 1, False, CPU, Inference(tile=64))


class Greedy(nn.Module):
    """Doubles a picture, and takes no more than a side of `most` pixels at once."""

    def __init__(self, most):
        super().__init__()
        self.most = most

    def forward(self, lr):
        if max(lr.shape[-2:]) > self.most:
            raise torch.OutOfMemoryError
        return nn.functional.interpolate(lr, scale_factor=2)


def score(pictures, results, upscaler):
    spec = untrained_spec(component_spec("model", "bicubic"), 2, component_spec("degradation", "bicubic"))
    test = build_dataset(f"folder:test={pictures}").test
    paths = RunPaths(results / spec.id)
    paths.directory.mkdir(parents=True)
    evaluate(
        spec, paths, 0, upscaler, [test], Scoring(*resolve_metrics(["psnr"])), CPU, lambda: None, quiet=True
    )
    return read_scores(paths)


def wide(folder):
    from PIL import Image
    from skimage import data

    folder.mkdir()
    Image.fromarray(data.astronaut()[:64, :64]).save(folder / "small.png")
    Image.fromarray(data.astronaut()[:300, :400]).save(folder / "wide.png")
    return folder


def test_where_memory_is_short_all_is_scored_in_tiles_and_says_so(tmp_path, caplog):
    pictures = wide(tmp_path / "wide")
    upscaler = NetworkUpscaler({"rgb": Greedy(100)}, "rgb", 2, 1, True, CPU)
    scores, protocols = score(pictures, tmp_path / "short", upscaler)
    assert {protocols[one.protocol]["inference"]["tile"] for one in scores} == {64}
    assert "so all are scored in tiles of 64 pixels" in caplog.text
    plenty, _ = score(
        pictures, tmp_path / "plenty", NetworkUpscaler({"rgb": Greedy(999)}, "rgb", 2, 1, True, CPU)
    )
    assert [one.value for one in scores] == pytest.approx([one.value for one in plenty], abs=1e-6)


@pytest.mark.parametrize(
    ("tileable", "words"), [(True, "even in tiles of 64"), (False, "it needs whole pictures")]
)
def test_where_tiles_are_no_way_out_it_says_so(tmp_path, tileable, words):
    upscaler = NetworkUpscaler({"rgb": Greedy(40)}, "rgb", 2, 1, tileable, CPU)
    with pytest.raises(SrbenchError, match=words):
        score(wide(tmp_path / "wide"), tmp_path / "results", upscaler)
