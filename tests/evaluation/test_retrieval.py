"""Rank, average precision and inverse negative penalty against loops over the sorted gallery."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from opengait_meshgait.evaluation.retrieval import NEVER, first_match, rank_k, retrieve


def one_probe(distance, match):
    """Rank of the first match, AP and INP of one probe, walking down the gallery."""
    order = sorted(range(len(distance)), key=lambda i: (distance[i], i))
    hits = [bool(match[i]) for i in order]
    if not any(hits):
        return NEVER, None, None
    precisions = [sum(hits[: i + 1]) / (i + 1) for i, hit in enumerate(hits) if hit]
    return hits.index(True), sum(precisions) / len(precisions), precisions[-1]


@st.composite
def blocks(draw):
    """Few different distances, so that ties abound."""
    b, m = draw(st.integers(1, 5)), draw(st.integers(1, 12))
    distance = draw(st.lists(st.sampled_from([-1e-7, -0.0, 0.0, 0.5, 7.5]), min_size=b * m, max_size=b * m))
    match = draw(st.lists(st.booleans(), min_size=b * m, max_size=b * m))
    return torch.tensor(distance).reshape(b, m), torch.tensor(match).reshape(b, m)


@given(blocks())
def test_first_match_equals_walking_down_the_gallery(block):
    assert first_match(*block).tolist() == [one_probe(*row)[0] for row in zip(*block)]


@given(blocks())
def test_retrieval_equals_walking_down_the_gallery(block):
    distance, match = block
    match[:, 0] |= ~match.any(1)
    found = retrieve(distance, match)
    for row, figures in enumerate(zip(*found)):
        assert [figure.item() for figure in figures] == pytest.approx(one_probe(distance[row], match[row]))
    assert found.rank.tolist() == first_match(distance, match).tolist()


def test_by_hand():
    # Wrong, right, wrong, right: AP = (1/2 + 2/4) / 2, INP = 2/4.
    found = retrieve(torch.tensor([[0.4, 0.3, 0.2, 0.1]]), torch.tensor([[True, False, True, False]]))
    assert [column.tolist() for column in found] == [[1], [0.5], [0.5]]


def test_ties_go_by_gallery_order():
    distance = torch.ones(2, 3)
    match = torch.tensor([[True, False, False], [False, False, True]])
    assert first_match(distance, match).tolist() == retrieve(distance, match).rank.tolist() == [0, 2]


def test_thousand_equal_distances_stay_in_order():
    # Beyond the sizes at which sorting routines happen to be stable.
    distance = torch.zeros(3, 1000)
    match = torch.zeros(3, 1000, dtype=torch.bool)
    match[[0, 1, 2], [0, 500, 999]] = True
    found = retrieve(distance, match)
    assert found.rank.tolist() == first_match(distance, match).tolist() == [0, 500, 999]
    assert found.ap.tolist() == pytest.approx([1, 1 / 501, 1 / 1000])


@given(blocks(), st.randoms(use_true_random=False))
def test_the_order_of_the_gallery_matters_to_ties_only(block, random):
    _, match = block
    match[:, 0] |= ~match.any(1)
    distance = torch.rand(match.shape, generator=torch.Generator().manual_seed(1))
    order = [*range(match.shape[1])]
    random.shuffle(order)
    for before, after in zip(retrieve(distance, match), retrieve(distance[:, order], match[:, order])):
        assert torch.equal(before, after)


def test_without_a_match():
    distance, match = torch.rand(2, 3), torch.tensor([[False] * 3, [True] * 3])
    assert first_match(distance, match).tolist() == [NEVER, 0]
    with pytest.raises(ValueError, match="expected a match for each of 2 probes, got 1 without"):
        retrieve(distance, match)


def test_rank_k_does_not_reach_beyond_the_gallery():
    ranks = torch.tensor([0, 4, 5, NEVER])
    assert [rank_k(ranks, k) for k in (1, 5, 6, 10**9)] == [25.0, 50.0, 75.0, 75.0]


def test_figures_of_opengait_with_ties(opengait, rng):
    distance = torch.randint(40, (120, 500), generator=rng).float()
    gallery, probes = torch.randint(60, (500,), generator=rng), torch.randint(70, (120,), generator=rng)
    match = probes[:, None] == gallery
    known = match.any(1)
    assert not known.all()
    found = retrieve(distance[known], match[known])
    cmc, ap, inp = opengait.metric.evaluate_rank(distance.numpy(), probes.numpy(), gallery.numpy())
    np.testing.assert_allclose(found.ap, ap)
    np.testing.assert_allclose(found.inp, inp)
    np.testing.assert_allclose([rank_k(found.rank, k) for k in range(1, 51)], cmc * 100, rtol=1e-6)
