"""Samples are a pure function of (seed, step): every epoch a permutation, whatever the batch size."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from srbench.train.sampling import samples, seed_of

small = st.integers(1, 40)


@given(st.integers(0, 2**64 - 1), small, small, st.integers(0, 3))
def test_every_epoch_is_a_permutation_across_the_borders_of_batches(seed, batch, slots, epoch):
    steps = range((epoch + 1) * slots // batch + 1)
    sequence = np.concatenate([samples(seed, seed, step, batch, slots).slot for step in steps])
    assert sorted(sequence[epoch * slots : (epoch + 1) * slots]) == list(range(slots))


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.sampled_from([2, 3, 6]))
def test_a_sample_is_the_same_in_a_batch_of_any_size(seed, step, size):
    whole = samples(seed, seed, step, 6, 50)
    parts = [samples(seed, seed, step * (6 // size) + i, size, 50) for i in range(6 // size)]
    np.testing.assert_array_equal(whole.slot, np.concatenate([part.slot for part in parts]))
    np.testing.assert_array_equal(whole.random, np.concatenate([part.random for part in parts]))
    np.testing.assert_array_equal(whole.turn, np.concatenate([part.turn for part in parts]))


def test_golden_samples():
    """Computed when sampling was fixed: if it fails, no run of an earlier version can be resumed exactly."""
    drawn = samples(order=7, crops=7, step=1000, batch=4, slots=100)
    assert drawn.slot.tolist() == [99, 41, 28, 12]
    assert drawn.turn.tolist() == [0, 5, 1, 3]
    assert int(drawn.random[0, 0]) == 2191949652831297178
    assert seed_of("init", 0, "r") == 7568776437067946398


def test_seeds_and_turns_are_spread():
    turns = np.concatenate([samples(0, 0, step, 64, 10).turn for step in range(50)])
    assert (np.bincount(turns, minlength=8) > 300).all()  # 400 expected, σ 19
    assert samples(0, 0, 0, 16, 1000).slot.tolist() != samples(1, 1, 0, 16, 1000).slot.tolist()


def test_order_and_crops_have_seeds_of_their_own():
    one, other_order, other_crops = (samples(*seeds, 5, 8, 100) for seeds in ((0, 0), (1, 0), (0, 1)))
    assert one.slot.tolist() == other_crops.slot.tolist() != other_order.slot.tolist()
    assert one.random.tolist() == other_order.random.tolist() != other_crops.random.tolist()
    assert one.seeds.tolist() == other_order.seeds.tolist() != other_crops.seeds.tolist()
