"""IoU of masks and of meshes with their silhouettes."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis.extra.numpy import arrays

from opengait_meshgait.body.overlap import mask_iou, mesh_iou

MASKS = arrays(bool, (2, 3, 4, 5))


@given(MASKS)
def test_masks_by_sets(masks):
    for first, second, found in zip(*masks, mask_iou(*torch.from_numpy(masks))):
        a, b = ({*map(tuple, np.argwhere(mask))} for mask in (first, second))
        assert found == pytest.approx(len(a & b) / len(a | b) if a | b else 0)


def rectangle(low, high):
    """Two triangles over a part of the body's column: x within ±0.25, y from ``low`` to ``high``, crop heights."""
    corners = [[-0.25, low, 0], [0.25, low, 0.1], [0.25, high, 0], [-0.25, high, 0.3]]
    return torch.tensor(corners), torch.tensor([[0, 1, 2], [0, 2, 3]])


@pytest.mark.parametrize("size", [(64, 44), (64, 64), (32, 22)])
@pytest.mark.parametrize("low,high,expected", [(0, 1, 1), (0, 0.5, 0.5), (0.25, 1.25, 0.75), (2, 3, 0)])
def test_rectangles(size, low, high, expected):
    height, width = size
    sils = torch.zeros(1, height, width)
    middle, half = width // 2, height // 4
    # The column that holds x = 0 is whole, so that a picture's rectangle is half a column to the right of it.
    sils[:, :, middle - half + 1 : middle + half + 1] = 1
    vertices, faces = rectangle(low, high)
    vertices = vertices + torch.tensor([0.5 / height, 0, 0])
    assert mesh_iou(vertices[None], faces, sils).item() == pytest.approx(expected)


def test_a_mesh_that_is_not_finite_covers_nothing():
    vertices, faces = rectangle(0, 1)
    vertices = vertices.repeat(3, 1, 1)
    vertices[1, 2, 0], vertices[2, 0, 2] = torch.nan, torch.inf
    sils = torch.ones(3, 64, 44)
    found = mesh_iou(vertices, faces, sils)
    assert found[0] > 0.5 and found[1:].tolist() == [0, 0]
    assert mesh_iou(vertices[:1], faces, sils[:1] * 0.4).item() == 0  # a silhouette begins above one half
