"""Differences of Rank-1: closed forms, and simulations of networks that are alike and of ones that are not."""

import numpy as np
import pytest
from scipy import stats

from opengait_meshgait.evaluation.comparison import compare, compare_conditions


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_one_seed_is_the_paired_t_test_over_people(rng):
    reference, other = rng.random((2, 1, 12))
    found = compare(reference, other, range(12), [0] * 12)
    expected = stats.ttest_rel(other[0], reference[0]).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((100 * expected.low, 100 * expected.high))
    assert found.difference == pytest.approx(100 * (other - reference).mean())
    assert (found.seeds, found.people) == (1, 12)


def test_seeds_that_say_the_same_are_one(rng):
    reference, other = rng.random((2, 1, 12))
    one = compare(reference, other, range(12), [0] * 12)
    five = compare(*(np.repeat(array, 5, axis=0) for array in (reference, other)), range(12), [0] * 12)
    assert (five.low, five.high) == pytest.approx((one.low, one.high))


def test_people_who_say_the_same_are_one(rng):
    other = np.repeat(rng.random((4, 1)), 9, axis=1)
    found = compare(np.zeros((4, 9)), other, range(9), [0] * 9)
    expected = stats.ttest_1samp(100 * other[:, 0], 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx(tuple(expected))


def test_variance_of_people_and_seeds_together():
    # Sums of a seed's and a person's value: the mean squares are known, and there is no rest.
    seeds, people = np.array([0.0, 0.1, 0.5]), np.array([0.0, 0.2, 0.2, 0.4])
    found = compare(np.zeros((3, 4)), seeds[:, None] + people, [*"abcd"], [*"vvvv"])
    of_seeds, of_people = seeds.var(ddof=1) / 3, people.var(ddof=1) / 4
    freedom = (of_seeds + of_people) ** 2 / (of_seeds**2 / 2 + of_people**2 / 3)
    half = 100 * stats.t.ppf(0.975, freedom) * np.sqrt(of_seeds + of_people)
    assert (found.low, found.high) == pytest.approx((40 - half, 40 + half))


def test_probes_of_one_person_are_not_independent(rng):
    reference, other = rng.random((2, 3, 10))
    alone = compare(reference, other, range(10), [0] * 10)
    often = compare(*(np.repeat(array, 7, axis=1) for array in (reference, other)), np.repeat(range(10), 7), [0] * 70)
    assert (often.difference, often.low, often.high) == pytest.approx((alone.difference, alone.low, alone.high))


def test_views_count_alike_however_many_probes_they_have():
    other = np.array([[1.0, 1, 1, 0]])
    found = compare(np.zeros((1, 4)), other, [1, 2, 3, 3], ["000", "000", "000", "090"])
    assert found.difference == pytest.approx(50)
    # Each view's shift is its own: none of it is a spread of people.
    assert found.high - found.low == pytest.approx(0)


def test_unequal_people_are_as_sure_as_a_bootstrap_over_them(rng):
    ids, views = rng.integers(25, size=400), rng.integers(4, size=400)
    people, inverse = np.unique(ids, return_inverse=True)
    scores = (rng.random(400) < 0.4 + 0.2 * rng.standard_normal(len(people))[inverse] + 0.1 * views).astype(float)
    found = compare(np.zeros((1, 400)), scores[None], ids, views)

    def rank1(weights):
        return np.mean([np.average(scores[views == v], weights=weights[views == v]) for v in range(4)])

    drawn = [100 * rank1(rng.multinomial(len(people), [1 / len(people)] * len(people))[inverse]) for _ in range(2000)]
    assert found.difference == pytest.approx(100 * rank1(np.ones(400)))
    error = (found.high - found.low) / 2 / stats.t.ppf(0.975, len(people) - 1)
    assert error == pytest.approx(np.std(drawn) * np.sqrt(25 / 24), rel=0.08)


@pytest.mark.parametrize(
    "of_seeds, of_people, rest", [(0, 0, 0.3), (0, 0.3, 0.3), (0.02, 0.2, 0.2), (0.05, 0.1, 0.1), (0.2, 0.1, 0.1)]
)
@pytest.mark.parametrize("seeds", [3, 5])
def test_the_interval_holds_the_truth_in_95_of_100_cases(of_seeds, of_people, rest, seeds, rng):
    truth, people, trials = 0.05, 30, 500
    shape = (trials, seeds, people)
    noise = of_seeds * rng.standard_normal((trials, seeds, 1)) + of_people * rng.standard_normal((trials, 1, people))
    other = truth + noise + rest * rng.standard_normal(shape)
    found = [compare(np.zeros(shape[1:]), scores, range(people), [0] * people) for scores in other]
    covered = np.mean([each.low <= 100 * truth <= each.high for each in found])
    # Where seeds hardly matter, the few of them leave the interval on the wide side.
    assert 0.92 < covered <= 0.995


def probes_found(rng, seeds, rate):
    """Networks that find probes by chance, ``[seeds, 40 people * 6 probes]``: some people are harder than others."""
    ability = np.clip(rate + 0.1 * rng.standard_normal((1, 40, 1)) + 0.05 * rng.standard_normal((seeds, 40, 1)), 0, 1)
    return (rng.random((seeds, 40, 6)) < ability).astype(float).reshape(seeds, 240)


def test_networks_that_are_alike_are_seldom_told_apart(rng):
    ids, views = np.repeat(range(40), 6), [*range(6)] * 40
    verdicts = [compare(probes_found(rng, 3, 0.6), probes_found(rng, 3, 0.6), ids, views).verdict for _ in range(200)]
    assert verdicts.count("not enough to tell") > 0.92 * 200


def test_a_shift_is_found(rng):
    ids, views = np.repeat(range(40), 6), [*range(6)] * 40
    low, high = probes_found(rng, 3, 0.5), probes_found(rng, 3, 0.75)
    found = compare(low, high, ids, views)
    assert found.verdict == "larger"
    assert found.low < 25 < found.high
    swapped = compare(high, low, ids, views)
    assert swapped.verdict == "smaller"
    assert (swapped.low, swapped.high) == pytest.approx((-found.high, -found.low))


def test_no_difference_at_all():
    scores = np.array([[1.0, 0, 1], [0, 0, 1]])
    found = compare(scores, scores, range(3), [0] * 3)
    assert (found.low, found.difference, found.high) == (0, 0, 0)
    assert found.verdict == "not enough to tell"


def test_one_person_tells_nothing():
    found = compare(np.zeros((3, 4)), np.ones((3, 4)), ["a"] * 4, range(4))
    assert found.difference == 100
    assert (found.low, found.high) == (None, None)
    assert found.verdict == "not enough to tell"


def test_conditions_and_their_mean(rng):
    reference, other = ({c: rng.random((3, 20)) for c in ("NM", "CL")} for _ in range(2))
    ids, views = dict.fromkeys(reference, np.repeat(range(10), 2)), dict.fromkeys(reference, [0, 1] * 10)
    found = compare_conditions(reference, other, ids, views)
    assert list(found) == ["NM", "CL", "mean"]
    assert found["NM"] == compare(reference["NM"], other["NM"], ids["NM"], views["NM"])
    # Averages of probes are compared as probes are.
    mean = compare(*(sum(scores.values()) / 2 for scores in (reference, other)), ids["NM"], views["NM"])
    assert [found["mean"].low, found["mean"].high] == pytest.approx([mean.low, mean.high])
    (alone,) = compare_conditions(*({"NM": scores["NM"]} for scores in (reference, other)), ids, views).values()
    assert alone == found["NM"]


def test_people_who_are_in_one_condition_only(rng):
    ids = {"NM": ["a", "b", "c"], "CL": ["b", "c"]}
    reference = {condition: np.zeros((2, len(people))) for condition, people in ids.items()}
    other = {condition: rng.random((2, len(people))) for condition, people in ids.items()}
    found = compare_conditions(reference, other, ids, {c: [0] * len(people) for c, people in ids.items()})
    assert found["mean"].difference == pytest.approx((found["NM"].difference + found["CL"].difference) / 2)
    assert [found[name].people for name in ("NM", "CL", "mean")] == [3, 2, 3]


@pytest.mark.parametrize(
    "reference, other, ids, message",
    [
        (np.zeros((2, 3)), np.zeros((2, 4)), [0] * 3, r"got \[2, 3\], \[2, 4\], \[3\], \[3\]"),
        (np.zeros(3), np.zeros(3), [0] * 3, "expected"),
        (np.zeros((2, 3)), np.zeros((2, 3)), [0] * 4, "expected"),
        (np.zeros((2, 0)), np.zeros((2, 0)), [], "expected"),
        (np.zeros((1, 1)), np.array([[np.nan]]), [0], "finite"),
    ],
)
def test_what_cannot_be_compared(reference, other, ids, message):
    with pytest.raises(ValueError, match=message):
        compare(reference, other, ids, [0] * min(3, len(ids)))
