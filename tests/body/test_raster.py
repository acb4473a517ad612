import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from opengait_meshgait.body.raster import rasterize

TETRAHEDRON = torch.tensor([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]])


def brute_force(xy: torch.Tensor, faces: torch.Tensor, height: int, width: int) -> np.ndarray:
    """Every pixel centre against every triangle, in float64."""
    rows, columns = np.mgrid[:height, :width] + 0.5
    a, b, c = (xy.double().numpy()[:, faces.numpy()[:, k]] for k in range(3))

    def beside(p, q):  # [n, F, h, w]: on which side of the line p q
        p, q = p[..., None, None], q[..., None, None]
        return (q[:, :, 0] - p[:, :, 0]) * (rows - p[:, :, 1]) - (q[:, :, 1] - p[:, :, 1]) * (columns - p[:, :, 0])

    sides = np.stack([beside(a, b), beside(b, c), beside(c, a)])
    return ((sides > 0).all(0) | (sides < 0).all(0)).any(1)


def sphere(rings: int = 10, around: int = 14) -> tuple[torch.Tensor, torch.Tensor]:
    """A closed surface with consistent winding: points [V, 3] of radius 1 and faces."""
    theta, phi = np.meshgrid(
        np.linspace(0, np.pi, rings + 1)[1:-1], np.linspace(0, 2 * np.pi, around, False), indexing="ij"
    )
    ring = np.stack([np.sin(theta) * np.cos(phi), np.cos(theta), np.sin(theta) * np.sin(phi)], -1).reshape(-1, 3)
    points = np.concatenate([ring, [[0, 1, 0], [0, -1, 0]]])
    index = np.arange((rings - 1) * around).reshape(rings - 1, around)
    a, b, c, d = index[:-1], np.roll(index[:-1], -1, 1), index[1:], np.roll(index[1:], -1, 1)
    top, bottom = len(ring), len(ring) + 1
    faces = [np.stack([a, c, b], -1).reshape(-1, 3), np.stack([b, c, d], -1).reshape(-1, 3)]
    faces += [np.stack([np.full(around, top), index[0], np.roll(index[0], -1)], -1)]
    faces += [np.stack([np.full(around, bottom), np.roll(index[-1], -1), index[-1]], -1)]
    return torch.tensor(points, dtype=torch.float32), torch.tensor(np.concatenate(faces))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rasterize_equals_every_centre_against_every_triangle(dtype):
    generator = torch.Generator().manual_seed(0)
    points, faces = sphere()
    bumpy = points * (1 + 0.5 * torch.rand(6, len(points), 1, generator=generator))  # folds over itself
    xy = (bumpy[..., :2] * torch.tensor([9.0, 16.0]) + torch.tensor([20.3, 24.1])).to(dtype)
    xy[3:] += 17.7  # partly outside
    got = rasterize(xy, faces, 48, 40)
    assert got.dtype == torch.bool and got.shape == (6, 48, 40)
    np.testing.assert_array_equal(got, brute_force(xy, faces, 48, 40))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), triangles=st.integers(1, 12), size=st.floats(0.5, 40))
def test_rasterize_of_loose_triangles(seed, triangles, size):
    """Open, overlapping, wound either way, sharing edges three at a time: still the union."""
    generator = torch.Generator().manual_seed(seed)
    xy = (torch.rand(2, 8, 2, generator=generator) - 0.5) * size + 8
    faces = torch.stack([torch.randperm(8, generator=generator)[:3] for _ in range(triangles)])
    np.testing.assert_array_equal(rasterize(xy, faces, 15, 17), brute_force(xy, faces, 15, 17))


def test_rasterize_rectangle_counts_its_pixels():
    xy = torch.tensor([[[2.0, 1.0], [7.0, 1.0], [7.0, 4.0], [2.0, 4.0]]])
    image = rasterize(xy, torch.tensor([[0, 1, 2], [0, 2, 3]]), 6, 9)[0]
    assert image[1:4, 2:7].all() and image.sum() == 15


def test_centre_on_the_outline_is_drawn_once():
    xy = torch.tensor([[[1.5, 1.5], [3.5, 1.5], [3.5, 3.5], [1.5, 3.5]]])
    image = rasterize(xy, torch.tensor([[0, 1, 2], [0, 2, 3]]), 5, 5)[0]
    assert image[1:3, 1:3].all() and image.sum() == 4


def test_mirrored_and_reversed_faces_cover_the_same():
    points, faces = sphere()
    xy = points[None, :, :2] * 11.3 + 16.0
    image = rasterize(xy, faces, 32, 32)
    assert torch.equal(rasterize(xy, faces.flip(1), 32, 32), image)
    mirrored = torch.stack([32 - xy[..., 0], xy[..., 1]], -1)
    assert torch.equal(rasterize(mirrored, faces, 32, 32).flip(-1), image)


def test_frames_do_not_mix_and_chunks_do_not_show():
    generator = torch.Generator().manual_seed(1)
    xy = torch.rand(150, 4, 2, generator=generator) * 20
    together = rasterize(xy, TETRAHEDRON, 20, 20)
    for k in (0, 63, 64, 149):
        assert torch.equal(rasterize(xy[k : k + 1], TETRAHEDRON, 20, 20)[0], together[k])


def test_outside_flat_and_empty_meshes_cover_nothing():
    faces = torch.tensor([[0, 1, 2]])
    outside = torch.tensor([[[-9.0, 2], [-2, 2], [-5, 7]], [[30, 2], [40, 2], [35, 7]], [[2, -9], [5, -2], [8, -9]]])
    assert not rasterize(outside, faces, 10, 10).any()
    assert not rasterize(torch.tensor([[[1.0, 1], [5, 5], [9, 9]]]), faces, 10, 10).any()
    assert not rasterize(torch.zeros(2, 3, 2), torch.zeros(0, 3, dtype=torch.long), 4, 4).any()
    assert rasterize(torch.zeros(0, 3, 2), faces, 4, 4).shape == (0, 4, 4)


def test_rasterize_refuses_bad_input():
    faces = torch.tensor([[0, 1, 2]])
    with pytest.raises(ValueError, match=r"\[n, V, 2\].*\[2, 3, 3\]"):
        rasterize(torch.zeros(2, 3, 3), faces, 4, 4)
    with pytest.raises(ValueError, match="not finite"):
        rasterize(torch.full((1, 3, 2), torch.nan), faces, 4, 4)
