import numpy as np
from scipy.spatial.transform import Rotation

from opengait_meshgait.body.layout import JOINT_NAMES
from opengait_meshgait.walkers.habits import Habits
from opengait_meshgait.walkers.style import within_person

LEGS = [
    joint for joint, name in enumerate(JOINT_NAMES) if any(part in name for part in ("hip", "knee", "ankle", "foot"))
]


def people(variety, number=200):
    return [Habits.draw(np.random.default_rng(seed), variety) for seed in range(number)]


def test_nobody_has_any_at_no_variety():
    habits = people(0.0, 1)[0]
    np.testing.assert_array_equal(habits.turns, 0)
    np.testing.assert_array_equal(habits.at(np.linspace(0, 1, 5)), np.broadcast_to(np.eye(3), (5, 24, 3, 3)))


def test_the_pelvis_and_the_legs_have_none():
    for habits in people(1.0, 5):
        np.testing.assert_array_equal(habits.turns[:, [0, *LEGS]], 0)


def test_people_differ_in_proportion_to_variety():
    whole, half = (np.std([habits.turns for habits in people(variety)], axis=0) for variety in (1.0, 0.5))
    np.testing.assert_allclose(half, whole / 2, atol=1e-12)
    shoulder = JOINT_NAMES.index("left_shoulder")
    np.testing.assert_allclose(np.rad2deg(whole[0, shoulder]), 6.0, rtol=0.15)
    np.testing.assert_allclose(np.rad2deg(whole[1:, shoulder]), 2.0, rtol=0.15)


def test_the_walks_of_one_person_differ_as_styles_do():
    one, *others = people(1.0)
    walks = [one.vary(np.random.default_rng(take), 1.0) for take in range(200)]
    between, within = (np.std([habits.turns for habits in some], axis=0).mean() for some in (others, walks))
    np.testing.assert_allclose(within / between, within_person(1.0), rtol=0.1)


def test_a_stride_later_all_is_as_it_was():
    habits = people(1.0, 1)[0]
    phase = np.linspace(0, 1, 7)
    turns = habits.at(phase)
    np.testing.assert_allclose(habits.at(phase + 1), turns, atol=1e-12)
    expected = Rotation.from_rotvec(habits.turns[0, 3] + habits.turns[1, 3]).as_matrix()
    np.testing.assert_allclose(turns[0, 3], expected, atol=1e-12)
