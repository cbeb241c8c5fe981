"""Weights files as entries of the store: the authors' MATLAB form, srbench's own, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch
from safetensors.torch import save_file
from small import picture_folder, small_arguments, srbench

from srbench.api import ForeignModel
from srbench.errors import UsageError
from srbench.foreign.weights import _as_it_says, read_weights
from srbench.plan import untrained_spec
from srbench.plan.terms import component_spec
from srbench.spec import Source
from srbench_lapsrn.matlab import read
from srbench_lapsrn.network import build

SMALL = "lapsrn:features=4,depth=1"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return picture_folder(tmp_path_factory.mktemp("pictures"))


def network(scale=4, planes=1):
    torch.manual_seed(3)
    made = build(planes, scale, features=4, depth=1)
    for name, parameter in made.named_parameters():
        if "residual" in name:
            torch.nn.init.normal_(parameter, std=0.05)
    return made


def write_matlab(path, made):
    """As MATLAB would: (out, in, h, w) as h × w × in × out, trailing dimensions of one dropped."""
    params = []
    for name, value in made.state_dict().items():
        stem, kind = name.rsplit(".", 1)
        array = value.numpy()
        if kind == "weight":
            array = array.transpose(2, 3, 1, 0)
            while array.ndim > 2 and array.shape[-1] == 1:
                array = array[..., 0]
        else:
            array = array.reshape(1, -1)
        params.append({"name": f"{stem}_{'f' if kind == 'weight' else 'b'}", "value": array})
    structs = np.zeros((1, len(params)), dtype=[("name", object), ("value", object)])
    for number, one in enumerate(params):
        structs[0, number] = (one["name"], one["value"])
    scipy.io.savemat(path, {"net": {"params": structs}})
    return path


def arguments(weights, pictures, results, *more):
    return [
        "eval", "--weights", str(weights), "--model", SMALL, "--channels", "y",
        "--test", f"folder:test={pictures / 'test'}", "--metric", "psnr", "--results", str(results), *more,
    ]  # fmt: skip


def rows(results, monkeypatch, capsys):
    capsys.readouterr()
    assert srbench(["table", "--format", "json", "--results", str(results)], monkeypatch) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(("scale", "planes"), [(2, 1), (4, 1), (8, 3)])
def test_matlab_files_come_back_bit_for_bit(tmp_path, scale, planes):
    made = network(scale, planes)
    state = read(write_matlab(tmp_path / "net.mat", made), scale)
    assert set(state) == set(made.state_dict())
    assert all(torch.equal(state[name], value) for name, value in made.state_dict().items())


def test_weights_are_a_named_entry_beside_bicubic(pictures, tmp_path, monkeypatch, capsys):
    file, results = write_matlab(tmp_path / "Theirs_x4.mat", network()), tmp_path / "results"
    assert srbench(arguments(file, pictures, results), monkeypatch) == 0
    found = rows(results, monkeypatch, capsys)
    assert {(row["model"], row["channels"], row["scale"]) for row in found} == {
        (model, channels, scale)
        for model, channels in (("bicubic", None), ("Theirs_x4", "y"))
        for scale in (2, 4)
    }
    (entry,) = [path.name for path in results.iterdir() if path.name.startswith("lapsrn-weights-y-x4-")]
    assert srbench(["runs", "--results", str(results)], monkeypatch) == 0
    assert f"{entry} (Theirs_x4)" in capsys.readouterr().out
    # Found by its name, and scored on from the same file.
    more = ["eval", "Theirs_x4", "--test", f"folder:test={pictures / 'val'}", "--metric", "psnr"]
    assert srbench([*more, "--results", str(results)], monkeypatch) == 0
    assert {row["test"] for row in rows(results, monkeypatch, capsys)} == {"test", "val"}


def test_the_same_file_is_one_entry_whatever_it_is_called(pictures, tmp_path, monkeypatch, capsys):
    file, results = write_matlab(tmp_path / "a.mat", network()), tmp_path / "results"
    assert srbench(arguments(file, pictures, results), monkeypatch) == 0
    moved = file.rename(tmp_path / "b.mat")
    assert srbench(arguments(moved, pictures, results, "--name", "Lai 2017"), monkeypatch) == 0
    assert "Nothing to do" in capsys.readouterr().err
    assert {row["model"] for row in rows(results, monkeypatch, capsys)} == {"bicubic", "Lai 2017"}


def test_other_weights_under_one_name_are_told_apart(pictures, tmp_path, monkeypatch, capsys):
    results = tmp_path / "results"
    for number in range(2):
        made = network()
        torch.nn.init.constant_(made.get_parameter("input_conv.bias"), number / 10)
        file = write_matlab(tmp_path / f"{number}.mat", made)
        assert srbench(arguments(file, pictures, results, "--name", "theirs"), monkeypatch) == 0
    capsys.readouterr()
    assert srbench(["table", "--format", "md", "--results", str(results)], monkeypatch) == 0
    assert capsys.readouterr().out.count("| theirs | weights=") == 4


def test_own_checkpoints_score_as_the_run_they_are_of(pictures, tmp_path, monkeypatch, capsys):
    results = tmp_path / "results"
    assert srbench(small_arguments(pictures, results, "--channels", "r,g,b"), monkeypatch) == 0
    (file,) = results.glob("lapsrn*/checkpoints/step-*/model.safetensors")
    own = ["eval", "--weights", str(file), "--model", SMALL, "--name", "again", "--metric", "psnr"]
    test = ["--test", f"folder:test={pictures / 'test'}", "--results", str(results)]
    assert srbench([*own, *test], monkeypatch) == 0
    values = {}
    for row in rows(results, monkeypatch, capsys):
        values.setdefault(row["model"], {})[row["scale"], row["plane"]] = (row["value"], row["channels"])
    assert values["again"] == values["lapsrn"]


def test_a_plain_safetensors_file_fits_by_its_names(tmp_path):
    save_file(network().state_dict(), tmp_path / "plain.safetensors")
    loaded = read_weights(tmp_path / "plain.safetensors", component_spec("model", SMALL), None, "r,g,b")
    assert (loaded.scale, list(loaded.networks)) == (4, ["r", "g", "b"])
    for one in loaded.networks.values():
        assert torch.equal(
            one.get_parameter("input_conv.weight"), network().get_parameter("input_conv.weight")
        )


def test_source_moves_the_id_and_nothing_else_does():
    model, degradation = component_spec("model", SMALL), component_spec("degradation", "bicubic")
    ids = {
        untrained_spec(model, 4, degradation, Source(kind=kind, sha256=sha), channels).id
        for kind in ("weights", "pictures")
        for sha in ("0" * 64, "1" * 64)
        for channels in ("y", "rgb")
    }
    assert len(ids) == 8
    golden = untrained_spec(model, 4, degradation, Source(kind="weights", sha256="0" * 64), "y")
    assert golden.id == "lapsrn-weights-y-x4-fc15518bb5"


HDF5 = b"\x89HDF\r\n\x1a\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"MATLAB 7.3 MAT-file".ljust(512) + HDF5, r"MATLAB v7.3 file \(HDF5\).*'-v7'\)"),
        (HDF5 + bytes(100), r"MATLAB v7.3 file \(HDF5\)"),
        (b"\x80\x02}q\x00.", r"no MATLAB v5 file \(it begins with b'\\x80\\x02\}q\\x00.'\)"),
        (b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + b"\xff" * 64, "cannot be found"),
        (b"", "no MATLAB v5 file"),
    ],
)
def test_what_is_no_such_file_is_one_paragraph(pictures, tmp_path, monkeypatch, capsys, content, words):
    file = tmp_path / "odd.mat"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=words):
        read(file, 4)
    assert srbench(arguments(file, pictures, tmp_path / "results"), monkeypatch) == 2
    err = capsys.readouterr().err
    assert f"{file} cannot be read as weights of 'lapsrn': it" in err.replace("\n", " ")
    assert "Traceback" not in err
    assert not (tmp_path / "results").exists()


def test_another_scale_another_size_and_another_struct_are_named(tmp_path):
    file = write_matlab(tmp_path / "x2.mat", network(2))
    with pytest.raises(UsageError, match="a LapSRN for ×2, not ×4; give --scale 2"):
        read_weights(file, component_spec("model", SMALL), 4, "y")
    with pytest.raises(UsageError, match="does not fit 'lapsrn' as it was asked for: Missing key"):
        read_weights(file, component_spec("model", "lapsrn:features=4,depth=2"), 2, "y")
    with pytest.raises(UsageError, match="does not fit 'lapsrn'"):
        read_weights(file, component_spec("model", SMALL), 2, "rgb")
    scipy.io.savemat(tmp_path / "other.mat", {"x": np.ones(3)})
    with pytest.raises(ValueError, match="net.params, a list of names and values, cannot be found"):
        read(tmp_path / "other.mat", 4)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (["--weights", "nowhere.mat", "--model", SMALL], "nowhere.mat cannot be read"),
        (["--weights", "FILE"], "needs --model"),
        (["--weights", "FILE", "--model", "bicubic"], "Model 'bicubic' has no reader for net.mat"),
        (["--weights", "FILE", "--model", SMALL, "--scale", "3"], "cannot do ×3"),
        (["--weights", "FILE", "--pictures", "."], "Say one thing to score"),
        ([], "Say one thing to score"),
        (["bicubic", "--model", SMALL], "--model and --channels belong to --weights"),
    ],
)
def test_wrong_usage_is_named(pictures, tmp_path, monkeypatch, capsys, typed, words):
    file = write_matlab(tmp_path / "net.mat", network())
    typed = [str(file) if one == "FILE" else one for one in typed]
    test = ["--test", f"folder:test={pictures / 'test'}", "--results", str(tmp_path / "results")]
    assert srbench(["eval", *typed, *test], monkeypatch) == 2
    assert words in " ".join(capsys.readouterr().err.split())


def test_a_file_that_is_gone_or_changed_is_not_scored_on(pictures, tmp_path, monkeypatch, capsys):
    file, results = write_matlab(tmp_path / "net.mat", network()), tmp_path / "results"
    assert srbench(arguments(file, pictures, results), monkeypatch) == 0
    again = ["eval", "lapsrn-weights", "--test", f"folder:test={pictures / 'val'}", "--results", str(results)]
    file.write_bytes(file.read_bytes() + b"x")
    assert srbench(again, monkeypatch) == 2
    assert "has changed since lapsrn-weights-y-x4-" in " ".join(capsys.readouterr().err.split())
    file.unlink()
    assert srbench(again, monkeypatch) == 2
    assert "which is not there any more" in " ".join(capsys.readouterr().err.split())


def test_a_file_may_say_what_it_is():
    file, network = Path("any.pth"), torch.nn.Upsample(scale_factor=2)
    says = ForeignModel(network, scale=2, channels="y", size_multiple=4, tileable=False)
    loaded = _as_it_says(file, says, None, None)
    assert (loaded.scale, loaded.channels, loaded.size_multiple, loaded.tileable) == (2, "y", 4, False)
    assert _as_it_says(file, says, 2, "r,g,b").networks == {"r": network, "g": network, "b": network}
    with pytest.raises(UsageError, match="a network for ×2, and --scale 3 was asked for"):
        _as_it_says(file, says, 3, None)
    with pytest.raises(UsageError, match=r"a network of 1 plane\(s\), and --channels rgb needs 3"):
        _as_it_says(file, says, None, "rgb")
    with pytest.raises(UsageError, match="does not enlarge"):
        _as_it_says(file, ForeignModel(network, scale=1), None, None)
