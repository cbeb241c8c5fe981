"""The counter of live tensor memory, against what is known to be live."""

import torch
from torch import nn

from srbench.memory import available_bytes, peak_bytes


def test_peak_is_what_lives_at_one_time():
    def three_in_turn():
        first = torch.zeros(1000)
        second = first + 1
        del first
        third = second * 2
        del second
        return third.add_(1).view(10, 100)  # in place, and a view: nothing new

    assert peak_bytes(three_in_turn) == 2 * 4000


def test_what_was_there_before_does_not_count():
    network, x = nn.Conv2d(3, 8, 3, padding=1), torch.zeros(1, 3, 20, 30)
    with torch.no_grad():
        assert peak_bytes(lambda: network(x)) == 8 * 20 * 30 * 4
        assert peak_bytes(lambda: network(x)) == 8 * 20 * 30 * 4


def test_there_is_some_memory():
    assert available_bytes() > 1e6
