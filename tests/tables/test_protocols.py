"""`table --protocol`: every hash with everything behind it, and what differs named."""

import io
import json

import pytest
from rich.console import Console
from stored import bicubic, degradation_spec, lapsrn, realistic, runs_in, scored, store

from srbench.metrics.protocol import Protocol
from srbench.tables import records
from srbench.tables.protocols import differing, render_protocols, used_protocols


def shown(root, width: int = 100, **options) -> str:
    file = io.StringIO()
    Console(file=file, width=width).print(render_protocols(used_protocols(runs_in(root), **options), "rich"))
    return file.getvalue()


def test_json_holds_each_protocol_in_full_under_its_hash(tmp_path):
    realistic(tmp_path)
    found = json.loads(render_protocols(used_protocols(runs_in(tmp_path)), "json"))
    assert {one["protocol"] for one in found} == {one["protocol"] for one in records(runs_in(tmp_path))}
    assert len(found) == len({one["protocol"] for one in found})
    for one in found:
        assert Protocol.model_validate(one["settings"]).hash == one["protocol"]
        assert one["plane"] == one["settings"]["plane"]
    assert all(runs for one in found for runs in one["runs"].values())


def test_every_hash_and_setting_is_readable(tmp_path):
    realistic(tmp_path)
    text = shown(tmp_path)
    for one in used_protocols(runs_in(tmp_path)):
        assert one.hash in text
        for key in one.settings:
            assert key in text
    assert "all: " in text
    assert "grey rgb" in text
    assert "precision fp32" in text
    assert text.count("edge valid") == 1


def test_what_differs_is_named(tmp_path):
    for rounded in ("true", "false"):
        for spec in (bicubic(4, rounded), lapsrn(degradation=degradation_spec(rounded))):
            store(tmp_path, spec, scored(spec, level=28, rounded=rounded, metrics=("psnr",)))
    text = " ".join(shown(tmp_path, 200).split())
    assert "8 protocols, which differ in degradation bicubic:round=false | bicubic:round=true; plane" in text
    assert "all: " in text
    assert "degradation" not in text[: text.index("metric border")]


def test_filters_keep_the_protocols_of_the_rows_shown(tmp_path):
    realistic(tmp_path)
    assert {one.column.metric for one in used_protocols(runs_in(tmp_path), ["ssim"])} == {"ssim"}
    markdown = render_protocols(used_protocols(runs_in(tmp_path), ["lpips"]), "md")
    assert "| lpips:net=squeeze | 4 |" in markdown
    assert "2 protocols, which differ in border 2 \\| 4." in markdown


def test_one_protocol_differs_in_nothing(tmp_path):
    spec = lapsrn("r")
    store(tmp_path, spec, scored(spec, level=28, metrics=("psnr",)))
    assert "\n1 protocol.\n" in shown(tmp_path)
    assert render_protocols([], "md") == ""


@pytest.mark.parametrize("width", [60, 80])
def test_hashes_are_never_broken(tmp_path, width):
    realistic(tmp_path)
    text = shown(tmp_path, width)
    assert max(map(len, text.splitlines())) <= width
    assert all(one.hash in text for one in used_protocols(runs_in(tmp_path)))


def test_difference_names_settings_that_one_lacks():
    first = {"border": 4, "settings": {"edge": "valid"}, "facts": {"window": 11}}
    second = {"border": 4, "settings": {"edge": "replicate"}, "facts": {}}
    assert differing([first, second]) == {"edge": ["valid", "replicate"], "window": ["11", "–"]}
