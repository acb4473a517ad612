"""Rank, average precision and inverse negative penalty against loops over the sorted gallery."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.evaluation.retrieval import (
    NEVER,
    count_before,
    distance_blocks,
    find_matches,
    paired_distances,
    rank_k,
    retrieve,
)


def search(distance, match, columns=None):
    """The figures of a block; ``columns``: counted in so many columns at a time."""
    matches, ranks = find_matches(distance, match), 0
    for start in range(0, distance.shape[1], columns or distance.shape[1]):
        ranks = ranks + count_before(distance[:, start : start + (columns or distance.shape[1])], matches, start)
    return retrieve(ranks, matches.there)


def one_probe(distance, match):
    """Rank of the first match, AP and INP of one probe, walking down the gallery."""
    order = sorted(range(len(distance)), key=lambda i: (distance[i], i))
    hits = [bool(match[i]) for i in order]
    if not any(hits):
        return NEVER, 0.0, 0.0
    precisions = [sum(hits[: i + 1]) / (i + 1) for i, hit in enumerate(hits) if hit]
    return hits.index(True), sum(precisions) / len(precisions), precisions[-1]


@st.composite
def blocks(draw):
    """Few different distances, so that ties abound."""
    b, m = draw(st.integers(1, 5)), draw(st.integers(1, 12))
    distance = draw(st.lists(st.sampled_from([-1e-7, -0.0, 0.0, 0.5, 7.5]), min_size=b * m, max_size=b * m))
    match = draw(st.lists(st.booleans(), min_size=b * m, max_size=b * m))
    return torch.tensor(distance).reshape(b, m), torch.tensor(match).reshape(b, m)


@given(blocks(), st.integers(1, 12))
def test_retrieval_equals_walking_down_the_gallery(block, columns):
    found = search(*block)
    for row, figures in zip(zip(*block), zip(*found)):
        assert [figure.item() for figure in figures] == pytest.approx(one_probe(*row))
    for whole, counted in zip(found, search(*block, columns)):
        assert whole.equal(counted)


def test_by_hand():
    # Wrong, right, wrong, right: AP = (1/2 + 2/4) / 2, INP = 2/4.
    found = search(torch.tensor([[0.4, 0.3, 0.2, 0.1]]), torch.tensor([[True, False, True, False]]))
    assert [column.tolist() for column in found] == [[1], [0.5], [0.5]]


def test_ties_go_by_gallery_order():
    distance = torch.ones(2, 3)
    match = torch.tensor([[True, False, False], [False, False, True]])
    assert search(distance, match).rank.tolist() == [0, 2]


def test_thousand_equal_distances_stay_in_order():
    # Beyond the sizes at which sorting routines happen to be stable.
    distance = torch.zeros(3, 1000)
    match = torch.zeros(3, 1000, dtype=torch.bool)
    match[[0, 1, 2], [0, 500, 999]] = True
    found = search(distance, match)
    assert found.rank.tolist() == [0, 500, 999]
    assert found.ap.tolist() == pytest.approx([1, 1 / 501, 1 / 1000])


@given(blocks(), st.randoms(use_true_random=False))
def test_the_order_of_the_gallery_matters_to_ties_only(block, random):
    _, match = block
    match[:, 0] |= ~match.any(1)
    distance = torch.rand(match.shape, generator=torch.Generator().manual_seed(1))
    order = [*range(match.shape[1])]
    random.shuffle(order)
    for before, after in zip(search(distance, match), search(distance[:, order], match[:, order])):
        assert torch.equal(before, after)


def test_without_a_match():
    distance, match = torch.rand(3, 3), torch.tensor([[False] * 3, [True] * 3, [False] * 3])
    assert [column.tolist() for column in search(distance, match)] == [[NEVER, 0, NEVER], [0, 1, 0], [0, 1, 0]]
    assert [column.tolist() for column in search(distance[:1], match[:1])] == [[NEVER], [0], [0]]


def test_rank_k_does_not_reach_beyond_the_gallery():
    ranks = torch.tensor([0, 4, 5, NEVER])
    assert [rank_k(ranks, k) for k in (1, 5, 6, 10**9)] == [25.0, 50.0, 75.0, 75.0]


def test_figures_of_opengait_with_ties(opengait, rng):
    distance = torch.randint(40, (120, 500), generator=rng).float()
    gallery, probes = torch.randint(60, (500,), generator=rng), torch.randint(70, (120,), generator=rng)
    match = probes[:, None] == gallery
    known = match.any(1)
    assert not known.all()
    found = search(distance[known], match[known])
    cmc, ap, inp = opengait.metric.evaluate_rank(distance.numpy(), probes.numpy(), gallery.numpy())
    np.testing.assert_allclose(found.ap, ap)
    np.testing.assert_allclose(found.inp, inp)
    np.testing.assert_allclose([rank_k(found.rank, k) for k in range(1, 51)], cmc * 100, rtol=1e-6)


def distances(x, y, metric="euc", chunk=256):
    """All distances [n, m] at once."""
    return torch.cat([block for _, block in distance_blocks(x, y, metric, chunk)])


def pair(x, y, metric):
    """Distance of two sequences ``[c, p]``, part by part."""
    total = 0.0
    for p in range(x.shape[1]):
        a, b = x[:, p].tolist(), y[:, p].tolist()
        if metric == "euc":
            total += math.dist(a, b)
        else:
            total += 1 - sum(s * t for s, t in zip(a, b)) / (math.hypot(*a) * math.hypot(*b))
    return total / x.shape[1]


@given(
    n=st.integers(1, 5),
    m=st.integers(1, 6),
    c=st.integers(1, 4),
    p=st.integers(1, 3),
    chunk=st.integers(1, 7),
    metric=st.sampled_from(["euc", "cos"]),
    seed=st.integers(0, 999),
)
def test_equals_loops(n, m, c, p, chunk, metric, seed):
    rng = torch.Generator().manual_seed(seed)
    x, y = torch.randn(n, c, p, generator=rng), torch.randn(m, c, p, generator=rng)
    expected = torch.tensor([[pair(a, b, metric) for b in y.double()] for a in x.double()])
    torch.testing.assert_close(distances(x, y, metric, chunk), expected.float(), atol=2e-3, rtol=1e-3)
    places = torch.randint(m, (n, 4), generator=rng)
    paired = paired_distances(x, y[places], metric)
    torch.testing.assert_close(paired, expected.gather(1, places).float(), atol=1e-5, rtol=1e-5)


def test_distances_by_hand():
    x = torch.tensor([[[0.0, 0.0], [0.0, 3.0]]])
    y = torch.tensor([[[3.0, 0.0], [4.0, -3.0]], [[0.0, 2.0], [1.0, 0.0]]])
    assert distances(x, y).tolist() == [pytest.approx([(5 + 6) / 2, (1 + math.sqrt(13)) / 2])]
    # A part of zeros has no direction: its cosine counts as 0.
    assert distances(x, y, "cos").tolist() == [pytest.approx([1.5, 1.0])]
    assert paired_distances(x, y[None], "cos").tolist() == [pytest.approx([1.5, 1.0])]


@pytest.mark.parametrize("metric", ["euc", "cos"])
def test_chunks_cover_every_probe_once(metric, rng):
    x, y = torch.randn(10, 8, 4, generator=rng), torch.randn(7, 8, 4, generator=rng)
    whole = distances(x, y, metric, chunk=10)
    for chunk in (1, 3, 9, 100):
        blocks = [*distance_blocks(x, y, metric, chunk)]
        assert [row for rows, _ in blocks for row in range(10)[rows]] == [*range(10)]
        assert all(len(block) <= chunk for _, block in blocks)
        torch.testing.assert_close(torch.cat([block for _, block in blocks]), whole)


@pytest.mark.parametrize("metric", ["euc", "cos"])
def test_embeddings_are_left_as_they_are(metric, rng):
    # Of one part, which needs no copy to be laid out part by part.
    x, y = torch.randn(5, 8, 1, generator=rng), torch.randn(10, 8, 1, generator=rng)
    before = x.clone(), y.clone()
    distances(x, y, metric)
    assert torch.equal(x, before[0]) and torch.equal(y, before[1])


def test_equal_sequences_are_exactly_equally_far():
    # Whole numbers have exact products: duplicates in the gallery tie exactly.
    x, y = torch.tensor([[[1.0], [2.0]]]), torch.tensor([[[5.0], [-1.0]]]).repeat(33, 1, 1)
    assert len(distances(x, y).unique()) == 1
    assert distances(x, x).item() == 0.0


def test_half_precision_is_compared_in_float32():
    x = torch.full((1, 4, 1), 200.0, dtype=torch.float16)
    assert distances(x, -x).item() == 800.0


def test_no_probes():
    assert list(distance_blocks(torch.zeros(0, 2, 1), torch.zeros(3, 2, 1))) == []


@pytest.mark.parametrize("metric", ["euc", "cos"])
def test_distances_of_opengait(opengait, rng, metric):
    x, y = torch.randn(40, 16, 4, generator=rng), torch.randn(30, 16, 4, generator=rng)
    theirs = opengait.metric.cuda_dist(x.numpy(), y.numpy(), metric)
    torch.testing.assert_close(distances(x, y, metric, 7), theirs, atol=1e-5, rtol=1e-5)


def test_unknown_metric():
    x = torch.zeros(1, 2, 1)
    with pytest.raises(UserError, match="Unknown metric 'cosine'. Did you mean 'cos'"):
        distances(x, x, "cosine")


@pytest.mark.parametrize("shape", [(3, 2, 4), (3, 4, 1), (3, 2)])
def test_shapes_that_do_not_belong_together(shape):
    with pytest.raises(ValueError, match=r"expected \[n, c, p\] and \[m, c, p\], got \[5, 2, 1\] and"):
        distances(torch.zeros(5, 2, 1), torch.zeros(shape))
