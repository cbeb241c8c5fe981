"""Eight commands on one store under kills, as `benchmarks/share_torture.py` runs them."""

import os

import pytest
from share_torture import share


@pytest.mark.slow
def test_eight_commands_under_kills_finish_each_of_forty_runs_once_with_the_serial_bits(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", ""))  # the plugin's folder joins it
    found = share(commands=8, seeds=20, steps=200, kills=20, every_s=4.0, folder=tmp_path)
    assert found.is_sound, found
    assert found.kills == 20
    assert found.handed_over > 0
