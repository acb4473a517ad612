from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from opengait_meshgait.body.layout import JOINT_NAMES
from opengait_meshgait.walkers.style import GaitStyle, Habits, curve_at, within_person


def numbers(style):
    traits = vars(style)
    return np.array([value for name, value in sorted(traits.items()) if name not in ("hip", "knee", "ankle")])


def test_a_curve_is_its_fourier_sum():
    coefficients = np.arange(1.0, 12.0)
    phase = np.array([0.0, 0.13, 0.8])
    expected = [
        coefficients[0]
        + sum(
            coefficients[2 * k - 1] * np.cos(2 * np.pi * k * p) + coefficients[2 * k] * np.sin(2 * np.pi * k * p)
            for k in range(1, 6)
        )
        for p in phase
    ]
    np.testing.assert_allclose(curve_at(coefficients, phase), expected)


def test_people_differ_much_more_than_the_walks_of_one():
    styles = [GaitStyle.draw(np.random.default_rng(seed)) for seed in range(60)]
    walks = [[styles[person].vary(np.random.default_rng([person, take])) for take in range(10)] for person in range(10)]
    between = np.std([numbers(style) for style in styles], axis=0)
    within = np.mean([np.std([numbers(walk) for walk in person], axis=0) for person in walks], axis=0)
    assert np.all(within > 0)
    assert np.all(between > 4 * within)


def test_traits_stay_in_their_range():
    for seed in range(200):
        style = GaitStyle.draw(np.random.default_rng(seed))
        assert 1.05 <= style.speed <= 1.55
        assert 0 < style.heel_off < style.stance < 0.65


def test_with_variety_speeds_spread_and_nothing_else_does():
    people = [[GaitStyle.draw(np.random.default_rng(seed), variety) for variety in (0.0, 1.0)] for seed in range(300)]
    strict, loose = (np.std([style.speed for style in styles]) for styles in zip(*people, strict=True))
    assert 2.2 < loose / strict < 2.8
    for one, other in people[:20]:
        assert 0.67 < other.speed < 1.93
        np.testing.assert_array_equal(numbers(replace(one, speed=0.0)), numbers(replace(other, speed=0.0)))


def test_with_variety_the_walks_of_one_person_differ():
    style = GaitStyle.draw(np.random.default_rng(0), variety=1.0)
    spread = [
        np.std([style.vary(np.random.default_rng(take), variety).knee[0] for take in range(300)])
        for variety in (0.0, 1.0)
    ]
    assert within_person(0.0) < within_person(1.0) < 1
    np.testing.assert_allclose(spread[1] / spread[0], within_person(1.0) / within_person(0.0), rtol=1e-6)


LEGS = [
    joint for joint, name in enumerate(JOINT_NAMES) if any(part in name for part in ("hip", "knee", "ankle", "foot"))
]


def crowd(variety, number=200):
    return [Habits.draw(np.random.default_rng(seed), variety) for seed in range(number)]


def test_nobody_has_habits_at_no_variety():
    habits = crowd(0.0, 1)[0]
    np.testing.assert_array_equal(habits.turns, 0)
    np.testing.assert_array_equal(habits.at(np.linspace(0, 1, 5)), np.broadcast_to(np.eye(3), (5, 24, 3, 3)))


def test_the_pelvis_and_the_legs_have_no_habits():
    for habits in crowd(1.0, 5):
        np.testing.assert_array_equal(habits.turns[:, [0, *LEGS]], 0)


def test_habits_differ_in_proportion_to_variety():
    whole, half = (np.std([habits.turns for habits in crowd(variety)], axis=0) for variety in (1.0, 0.5))
    np.testing.assert_allclose(half, whole / 2, atol=1e-12)
    shoulder = JOINT_NAMES.index("left_shoulder")
    np.testing.assert_allclose(np.rad2deg(whole[0, shoulder]), 6.0, rtol=0.15)
    np.testing.assert_allclose(np.rad2deg(whole[1:, shoulder]), 2.0, rtol=0.15)


def test_habits_of_one_person_differ_as_styles_do():
    one, *others = crowd(1.0)
    walks = [one.vary(np.random.default_rng(take), 1.0) for take in range(200)]
    between, within = (np.std([habits.turns for habits in some], axis=0).mean() for some in (others, walks))
    np.testing.assert_allclose(within / between, within_person(1.0), rtol=0.1)


def test_habits_repeat_with_the_stride():
    habits = crowd(1.0, 1)[0]
    phase = np.linspace(0, 1, 7)
    turns = habits.at(phase)
    np.testing.assert_allclose(habits.at(phase + 1), turns, atol=1e-12)
    expected = Rotation.from_rotvec(habits.turns[0, 3] + habits.turns[1, 3]).as_matrix()
    np.testing.assert_allclose(turns[0, 3], expected, atol=1e-12)
