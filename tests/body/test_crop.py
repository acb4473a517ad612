import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from opengait_meshgait.body.crop import (
    CropFrame,
    crop_frame,
    flip_crop,
    median_column,
    render_crop,
    to_crop,
    to_pixels,
)
from opengait_meshgait.body.files import load_body
from opengait_meshgait.body.layout import JOINT_FLIP
from opengait_meshgait.body.raster import rasterize
from opengait_meshgait.common.silhouettes import normalize_silhouette

BODY = load_body()


def rotation(axis: int, angle: torch.Tensor) -> torch.Tensor:
    """[n, 3, 3]"""
    matrix = torch.eye(3).repeat(len(angle), 1, 1)
    i, j = [k for k in range(3) if k != axis]
    matrix[:, i, i] = matrix[:, j, j] = angle.cos()
    matrix[:, i, j], matrix[:, j, i] = -angle.sin(), angle.sin()
    return matrix


def walkers(n: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Striding bodies in camera orientation, seen from all sides: vertices [n, V, 3] and joints [n, 24, 3]."""
    generator = torch.Generator().manual_seed(seed)
    pose = torch.randn(n, 24, 3, generator=generator) * 0.08
    phase = torch.rand(n, generator=generator) * 6.28
    pose[:, 16, 2] -= 1.2
    pose[:, 17, 2] += 1.2
    for side, (hip, knee) in ((1, (1, 4)), (-1, (2, 5))):
        pose[:, hip, 0] -= side * 0.4 * phase.sin()
        pose[:, knee, 0] = 0.3 + 0.3 * side * phase.cos()
    betas = torch.randn(n, 10, generator=generator) * 0.5
    vertices, joints = BODY(pose.flatten(1), betas)
    camera = rotation(1, torch.rand(n, generator=generator) * 6.28) * torch.tensor([1.0, -1.0, -1.0])[:, None]
    return vertices @ camera.mT, joints @ camera.mT


def photographs(vertices: torch.Tensor, size: int, seed: int = 0) -> torch.Tensor:
    """Orthographic silhouettes, uint8 [n, size, 1.3 size], each body somewhere and of some scale."""
    generator = torch.Generator().manual_seed(seed)
    place = torch.rand(len(vertices), 3, generator=generator) * torch.tensor([0.2, 0.03, 0.1])
    low, high = vertices[..., :2].amin(1), vertices[..., :2].amax(1)
    scale = size * (0.95 - place[:, 2]) / (high - low)[:, 1]
    corner = torch.stack([0.65 * size - (high - low)[:, 0] * scale / 2, torch.ones(len(low))], -1)
    xy = (vertices[..., :2] - low[:, None]) * scale[:, None, None] + (corner + place[:, :2] * size)[:, None]
    return rasterize(xy, BODY.faces, size, int(1.3 * size)).to(torch.uint8) * 255


@pytest.mark.parametrize("size, iou, worst", [(128, 0.94, 0.9), (400, 0.97, 0.92)])
def test_a_body_lies_on_its_normalised_silhouette(size, iou, worst):
    """Through both ways: raster and OpenGait's normalisation, and crop space and raster."""
    vertices, joints = walkers(60)
    crop = to_crop(vertices, crop_frame(vertices, BODY.faces, joints[:, 0]))
    pictures = torch.from_numpy(np.stack([normalize_silhouette(p.numpy()) for p in photographs(vertices, size)]))
    medians = median_column(pictures)
    away = medians - 32.5
    assert away.abs().max() < 0.6 and away.abs().mean() < 0.3 and away.mean().abs() < 0.1
    for cut in (0, 10):
        seen = pictures[..., cut : 64 - cut] > 127
        rendered = render_crop(crop, BODY.faces, 64, 64 - 2 * cut, medians - cut)
        overlap = (rendered & seen).sum((1, 2)) / (rendered | seen).sum((1, 2))
        assert overlap.mean() > iou and overlap.min() > worst


def test_median_column_of_the_frame_is_that_of_a_fine_raster():
    vertices, joints = walkers(60, seed=1)
    crop = to_crop(vertices, crop_frame(vertices, BODY.faces, joints[:, 0]))
    fine = median_column(render_crop(crop, BODY.faces, 640, 880))
    away = (fine - 440.5) / 10  # px of a 64 px silhouette
    assert away.abs().mean() < 0.06 and away.abs().max() < 0.3 and away.mean().abs() < 0.03


def test_frame_touches_top_and_bottom_and_starts_at_the_pelvis():
    vertices, joints = walkers(5)
    frame = crop_frame(vertices, BODY.faces, joints[:, 0])
    crop = to_crop(vertices, frame)
    torch.testing.assert_close(crop[..., 1].amin(1), torch.zeros(5), atol=1e-6, rtol=0)
    torch.testing.assert_close(crop[..., 1].amax(1), torch.ones(5), atol=1e-6, rtol=0)
    assert to_crop(joints, frame)[:, 0, 2].abs().max() < 1e-6
    assert ((frame.height > 1.3) & (frame.height < 2.2)).all()


@given(shift=st.tuples(*[st.floats(-8, 8)] * 3), scale=st.floats(0.2, 5))
def test_moving_or_scaling_the_camera_changes_nothing(shift, scale):
    vertices, joints = walkers(2)
    crop = to_crop(vertices, crop_frame(vertices, BODY.faces, joints[:, 0]))
    shift = torch.tensor(shift)
    moved = vertices * scale + shift
    frame = crop_frame(moved, BODY.faces, joints[:, 0] * scale + shift)
    torch.testing.assert_close(to_crop(moved, frame), crop, atol=2e-3, rtol=0)


frames = st.builds(
    CropFrame,
    st.tuples(*[st.floats(-5, 5)] * 3).map(lambda o: torch.tensor([o, o[::-1]], dtype=torch.float64)),
    st.tuples(st.floats(0.3, 3), st.floats(0.3, 3)).map(lambda h: torch.tensor(h, dtype=torch.float64)),
)


@given(frame=frames, seed=st.integers(0, 10**6))
def test_to_crop_takes_height_and_origin_away(frame, seed):
    points = torch.randn(2, 7, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    placed = points * frame.height[..., None, None] + frame.origin[..., None, :]
    torch.testing.assert_close(to_crop(placed, frame), points)


@given(frame=frames, seed=st.integers(0, 10**6))
def test_x_y_and_z_keep_one_scale(frame, seed):
    points = torch.randn(2, 7, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    before, after = torch.cdist(points, points), torch.cdist(to_crop(points, frame), to_crop(points, frame))
    torch.testing.assert_close(after * frame.height[:, None, None], before)


@given(seed=st.integers(0, 10**6))
def test_flipping_twice_is_identity(seed):
    points = torch.randn(3, 24, 3, generator=torch.Generator().manual_seed(seed))
    flip = torch.tensor(JOINT_FLIP)
    assert torch.equal(flip_crop(flip_crop(points, flip), flip), points)


def test_flipped_body_is_the_body_of_the_flipped_picture():
    vertices, joints = walkers(8)
    frame = crop_frame(vertices, BODY.faces, joints[:, 0])
    flipped = vertices * torch.tensor([-1.0, 1, 1])
    of_flipped = to_crop(flipped, crop_frame(flipped, BODY.faces, joints[:, 0]))
    expected = flip_crop(to_crop(vertices, frame), torch.arange(BODY.num_vertices))
    torch.testing.assert_close(of_flipped, expected, atol=2e-3, rtol=0)


def test_pixels_of_the_crop():
    points = torch.tensor([[0.0, 0.0, 0.3], [0.25, 1.0, 0.0]])
    torch.testing.assert_close(to_pixels(points, 64, 64), torch.tensor([[32.5, 0.0], [48.5, 64.0]]))
    torch.testing.assert_close(to_pixels(points), torch.tensor([[22.5, 0.0], [38.5, 64.0]]))


def test_median_column_splits_the_mass():
    picture = torch.zeros(3, 2, 6)
    picture[0, :, 1:3] = 1  # columns 1 and 2: the border between them
    picture[1, :, 4] = 0.2  # the middle of column 4
    picture[2, 0, 0], picture[2, 0, 5] = 1, 3  # a third into column 5
    torch.testing.assert_close(median_column(picture), torch.tensor([2.0, 4.5, 5 + 1 / 3]))


def test_no_gradient_flows_into_the_frame():
    vertices, joints = walkers(1)
    frame = crop_frame(vertices.requires_grad_(), BODY.faces, joints[:, 0].requires_grad_())
    assert not frame.origin.requires_grad and not frame.height.requires_grad
