import numpy as np
import pytest

from opengait_meshgait.walkers.damage import ALL_KINDS, Damage, degrade


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


def test_bars_cuts_and_holes_occur(silhouettes):
    rows = np.flatnonzero(silhouettes[0].any(1))
    cut = level_bar = holes = 0
    for seed in range(40):
        damaged = degrade(silhouettes, 0.5, np.random.default_rng(seed), ["ragged", "bar", "legs"])
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


def test_levels_are_drawn_within_their_range():
    levels = [Damage(probability=0.5, level=[0.2, 0.4]).draw_level(np.random.default_rng(s)) for s in range(200)]
    damaged = [level for level in levels if level]
    assert 60 < len(damaged) < 140
    assert 0.2 <= min(damaged) < 0.25 and 0.35 < max(damaged) <= 0.4
    assert Damage(probability=1.0, level=[0.3, 0.3]).draw_level(np.random.default_rng(0)) == 0.3


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_a_kind_occurs_alone_in_about_half_of_the_sequences_at_level_one(kind, walker):
    changed = [(degrade(walker, 1.0, np.random.default_rng(s), [kind]) != walker).any() for s in range(20)]
    assert all(changed) if kind == "ragged" else 2 < sum(changed) < 18


def first_damage(walker, kind, level=1.0):
    """The damage of the first seed that does any."""
    tries = (degrade(walker, level, np.random.default_rng(s), [kind]) for s in range(30))
    return next(damaged for damaged in tries if (damaged != walker).any())


@pytest.fixture
def walker():
    """A trunk with a head and two thin legs that swing, rows 10 to 170."""
    rows, columns = np.mgrid[:180, :180]
    frames = []
    for swing in 20 * np.sin(np.arange(16)):
        trunk = ((rows - 65) / 35) ** 2 + ((columns - 90) / 16) ** 2 < 1
        head = ((rows - 22) / 12) ** 2 + ((columns - 90) / 9) ** 2 < 1
        neck = (np.abs(columns - 90) < 6) & (rows >= 25) & (rows < 60)
        legs = (np.abs(np.abs(columns - 90) - np.abs(swing) * (rows - 90) / 80) < 5) & (rows >= 90) & (rows <= 170)
        frames.append(trunk | head | neck | legs)
    return np.stack(frames)


def test_heads_and_legs_are_cut_off(walker):
    for kind, lost in (("head", slice(0, 12)), ("legs", slice(169, None))):
        cut = ~first_damage(walker, kind)[:, lost].any((1, 2))
        assert 4 <= cut.sum() <= 16
        assert (np.diff(np.flatnonzero(cut)) == 1).all(), "a run of frames"


def test_thin_parts_go_and_thick_ones_stay(walker):
    results = [degrade(walker, 1.0, np.random.default_rng(s), ["thin"]) for s in range(20)]
    for damaged in results:
        assert not (damaged & ~walker).any()
        trunk = (slice(None), slice(45, 85), slice(80, 100))
        np.testing.assert_array_equal(damaged[trunk], walker[trunk])
    legless = [~damaged[:, 130:165].any((1, 2)) for damaged in results]
    assert 2 < sum(frames.any() for frames in legless) < 18


def test_outlines_swell_or_shrink_in_all_frames(walker):
    results = [degrade(walker, 1.0, np.random.default_rng(s), ["swell"]).sum((1, 2)) for s in range(20)]
    more, less = (sum((op(result, walker.sum((1, 2)))).all() for result in results) for op in (np.greater, np.less))
    assert more >= 2 and less >= 2


def test_blobs_touch_the_body(walker):
    damaged = first_damage(walker, "blob")
    assert not (walker & ~damaged).any()
    blob = damaged & ~walker
    assert blob.any((1, 2)).sum() >= 4 and blob.sum((1, 2)).max() > 50


def test_an_edge_takes_a_side_at_one_end_of_the_sequence(walker):
    for seed in range(20):
        damaged = degrade(walker, 1.0, np.random.default_rng(seed), ["edge"])
        lost = (walker & ~damaged).sum((1, 2))
        assert not (damaged & ~walker).any()
        assert not (lost[0] and lost[-1]) and (lost.any() or (damaged == walker).all())


def test_crops_of_another_size(walker):
    damaged = first_damage(walker, "scale")
    area = damaged.sum((1, 2)) / walker.sum((1, 2))
    changed = (damaged != walker).any((1, 2))
    assert area[changed].min() > 0.6 and area[changed].max() < 1.8 and np.ptp(area[changed]) < 0.15


def test_wrong_frames_are_single_ones(walker):
    results = [degrade(walker, 1.0, np.random.default_rng(s), ["wrong"]) for s in range(40)]
    wrong = np.stack([(damaged != walker).any((1, 2)) for damaged in results])
    assert 0.03 < wrong.mean() < 0.12
    others = {frame.tobytes() for frame in walker}
    swapped = [frame.tobytes() in others for damaged, bad in zip(results, wrong) for frame in damaged[bad]]
    assert 0.3 < np.mean(swapped) < 0.9, "another moment of the walk, or no walker"


@pytest.mark.parametrize("count", [1, 2])
def test_short_sequences(walker, count):
    for seed in range(30):
        assert degrade(walker[:count], 1.0, np.random.default_rng(seed)).any((1, 2)).all()
