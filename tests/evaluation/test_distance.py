"""Distances against loops over pairs and parts."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.evaluation import distances
from opengait_meshgait.evaluation.distance import distance_blocks


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


def test_by_hand():
    x = torch.tensor([[[0.0, 0.0], [0.0, 3.0]]])
    y = torch.tensor([[[3.0, 0.0], [4.0, -3.0]], [[0.0, 2.0], [1.0, 0.0]]])
    assert distances(x, y).tolist() == [pytest.approx([(5 + 6) / 2, (1 + math.sqrt(13)) / 2])]
    # A part of zeros has no direction: its cosine counts as 0.
    assert distances(x, y, "cos").tolist() == [pytest.approx([1.5, 1.0])]


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
    assert distances(torch.zeros(0, 2, 1), torch.zeros(3, 2, 1)).shape == (0, 3)


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
