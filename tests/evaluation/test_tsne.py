"""Features as points of a plane."""

import numpy as np
import pytest
import torch

from opengait_meshgait.evaluation.tsne import LEAST, tsne

pytest.importorskip("sklearn")


@pytest.mark.parametrize("metric", ["euc", "cos"])
def test_people_lie_together_and_the_picture_is_the_same_again(metric, rng):
    labels = torch.arange(4).repeat_interleave(8)
    features = 6 * torch.randn(4, 16, 3, generator=rng)[labels] + torch.randn(32, 16, 3, generator=rng)
    points = tsne(features, metric)
    assert points.shape == (32, 2)
    np.testing.assert_array_equal(points, tsne(features, metric))
    distance = torch.cdist(*[torch.from_numpy(points)] * 2).fill_diagonal_(torch.inf)
    assert (labels[distance.argmin(1)] == labels).all()


def test_few_and_equal_ones(rng):
    assert np.isfinite(tsne(torch.randn(LEAST, 2, 1, generator=rng))).all()
    assert np.isfinite(tsne(torch.ones(LEAST, 2, 1))).all()
