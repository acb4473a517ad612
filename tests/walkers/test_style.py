import numpy as np

from opengait_meshgait.walkers.style import GaitStyle, curve_at


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
