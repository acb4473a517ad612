"""Frame sampling keeps what each sample_type promises."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.data.collate import FrameSampling

LENGTHS = st.integers(1, 60)
SEEDS = st.integers(0, 2**32)
ORDERS = st.sampled_from(["unordered", "ordered", "allordered"])


def draw(sampling, frames, seed):
    return sampling.sample(frames, np.random.default_rng(seed))


@given(LENGTHS, LENGTHS, st.integers(0, 10), ORDERS, SEEDS)
def test_fixed_draws_so_many_frames_of_the_sequence(frames, number, skip, order, seed):
    chosen = draw(FrameSampling(f"fixed_{order}", number, frames_skip_num=skip), frames, seed)
    assert chosen.shape == (number,)
    assert chosen.min() >= 0 and chosen.max() < frames
    np.testing.assert_array_equal(
        chosen, draw(FrameSampling(f"fixed_{order}", number, frames_skip_num=skip), frames, seed)
    )


@given(LENGTHS, LENGTHS, ORDERS, SEEDS)
def test_frames_repeat_only_in_short_sequences(frames, number, order, seed):
    chosen = draw(FrameSampling(f"fixed_{order}", number), frames, seed)
    if frames >= number:
        assert len(set(chosen)) == number


@given(LENGTHS, LENGTHS, SEEDS)
def test_allordered_is_sorted(frames, number, seed):
    assert (np.diff(draw(FrameSampling("fixed_allordered", number), frames, seed)) >= 0).all()


def test_unordered_is_not_sorted():
    assert any((np.diff(draw(FrameSampling("fixed_unordered", 10), 30, seed)) < 0).any() for seed in range(5))


@given(LENGTHS, LENGTHS, st.integers(0, 10), SEEDS)
def test_ordered_walks_forward_through_one_window(frames, number, skip, seed):
    chosen = draw(FrameSampling("fixed_ordered", number, frames_skip_num=skip), frames, seed)
    # Undo the repetition of a short sequence: from one frame to the next it advances by 1…skip + 1.
    steps = (np.diff(chosen) - 1) % frames + 1
    if frames >= number + skip:
        assert (np.diff(chosen) > 0).all()
        assert chosen[-1] - chosen[0] < number + skip
    assert steps.sum() - (number - 1) <= skip


@given(LENGTHS, st.integers(1, 20), st.integers(0, 20), ORDERS, SEEDS)
def test_unfixed_stays_between_its_bounds(frames, low, more, order, seed):
    sampling = FrameSampling(f"unfixed_{order}", frames_num_min=low, frames_num_max=low + more)
    assert low <= len(draw(sampling, frames, seed)) <= low + more


def test_unfixed_reaches_both_bounds():
    sampling = FrameSampling("unfixed_unordered", frames_num_min=3, frames_num_max=5)
    assert {len(draw(sampling, 20, seed)) for seed in range(50)} == {3, 4, 5}


@given(LENGTHS, st.one_of(st.none(), LENGTHS), SEEDS)
def test_all_takes_the_first_frames_up_to_the_limit(frames, limit, seed):
    chosen = draw(FrameSampling("all_ordered", frames_all_limit=limit), frames, seed)
    np.testing.assert_array_equal(chosen, np.arange(min(frames, limit or frames)))


def test_from_config_takes_its_own_keys():
    cfg = {"type": "TripletSampler", "batch_size": [8, 4], "sample_type": "fixed_ordered", "frames_num_fixed": 30}
    assert FrameSampling.from_config(cfg | {"frames_skip_num": None}) == FrameSampling("fixed_ordered", 30)
    assert FrameSampling.from_config(cfg | {"frames_skip_num": 4}).frames_skip_num == 4


@pytest.mark.parametrize(
    ("cfg", "message"),
    [
        ({"sample_type": "fixed_orderd"}, "Unknown sample_type 'fixed_orderd'. Did you mean 'fixed_ordered'"),
        ({"sample_type": "fixed_ordered"}, "sample_type fixed_ordered needs frames_num_fixed"),
        ({"sample_type": "unfixed_ordered", "frames_num_min": 3}, "needs frames_num_max"),
        ({"sample_type": "fixed_ordered", "frames_num_fixed": 0}, "frames_num_fixed must be at least 1, found 0"),
        ({"sample_type": "all_ordered", "frames_all_limit": -1}, "frames_all_limit must be at least 1"),
        ({"sample_type": "fixed_ordered", "frames_num_fixed": 3, "frames_skip_num": -1}, "frames_skip_num must be"),
        ({"sample_type": "unfixed_ordered", "frames_num_min": 5, "frames_num_max": 3}, "min 5 is above frames_num_max"),
    ],
)
def test_bad_settings(cfg, message):
    with pytest.raises(UserError, match=message):
        FrameSampling.from_config(cfg)
