import numpy as np
import pytest

from opengait_meshgait.walkers.noise import degrade


@pytest.fixture
def silhouettes():
    rows, columns = np.mgrid[:180, :180]
    figure = ((rows - 90) / 80) ** 2 + ((columns - 90) / 22) ** 2 < 1
    return np.stack([figure] * 20)


def overlap(a, b):
    return (a & b).sum() / (a | b).sum()


def test_level_zero_leaves_silhouettes_whole(silhouettes):
    assert degrade(silhouettes, 0.0, np.random.default_rng(0)) is silhouettes


def test_the_same_numbers_do_the_same_damage(silhouettes):
    first, second, other = (degrade(silhouettes, 0.5, np.random.default_rng(seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()


def test_more_noise_damages_more(silhouettes):
    levels = (0.1, 0.4, 1.0)
    mean = [
        np.mean([overlap(degrade(silhouettes, level, np.random.default_rng(s)), silhouettes) for s in range(8)])
        for level in levels
    ]
    assert 1 > mean[0] > mean[1] > mean[2] > 0.5


def test_every_kind_of_damage_occurs(silhouettes):
    rows = np.flatnonzero(silhouettes[0].any(1))
    cut = level_bar = holes = 0
    for seed in range(40):
        damaged = degrade(silhouettes, 0.5, np.random.default_rng(seed))
        filled = damaged.any(2)
        cut += (~filled[:, rows[-8:]]).all(1).any()
        level_bar += (~filled[:, rows[20:-40]]).any()
        holes += (silhouettes & ~damaged)[:, 60:120, 80:100].any()
    assert 0 < cut < 40 and 0 < level_bar < 40 and holes > 0


def test_something_is_always_left(silhouettes):
    for seed in range(30):
        damaged = degrade(silhouettes, 1.0, np.random.default_rng(seed))
        assert (damaged.sum((1, 2)) >= 0.3 * silhouettes.sum((1, 2))).all()


def test_the_input_stays(silhouettes):
    before = silhouettes.copy()
    degrade(silhouettes, 1.0, np.random.default_rng(0))
    np.testing.assert_array_equal(silhouettes, before)
