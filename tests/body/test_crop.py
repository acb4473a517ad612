import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from opengait_meshgait.body.crop import (
    OUTLINE,
    CropFrame,
    body_size,
    crop_frame,
    flip_crop,
    joint_crop_frame,
    median_column,
    to_crop,
    to_pixels,
)
from opengait_meshgait.body.files import load_body
from opengait_meshgait.body.layout import JOINT_FLIP
from opengait_meshgait.body.raster import rasterize
from opengait_meshgait.common.pictures import normalize_silhouette
from opengait_meshgait.walkers.camera import Camera
from opengait_meshgait.walkers.person import WalkName
from opengait_meshgait.walkers.sequence import make_scene
from opengait_meshgait.walkers.world import WORLDS

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
        pixels = to_pixels(crop, 64, 64 - 2 * cut)
        pixels[..., 0] += (medians - 32.5)[:, None]
        rendered = rasterize(pixels, BODY.faces, 64, 64 - 2 * cut)
        overlap = (rendered & seen).sum((1, 2)) / (rendered | seen).sum((1, 2))
        assert overlap.mean() > iou and overlap.min() > worst


def test_median_column_of_the_frame_is_that_of_a_fine_raster():
    vertices, joints = walkers(60, seed=1)
    crop = to_crop(vertices, crop_frame(vertices, BODY.faces, joints[:, 0]))
    fine = median_column(rasterize(to_pixels(crop, 640, 880), BODY.faces, 640, 880))
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


@pytest.fixture(scope="module")
def scenes(standin):
    """Eight frames each of two people that the constants were not fitted to, from seven sides: joints, crop frames."""
    joints, frames = [], []
    for number in (3, 4):
        name = WalkName(number, "nm", 1)
        scene = make_scene(standin, name, 8, seed=5)
        for view in range(0, 360, 54):
            rngs = name.rng(5, view + 1), name.rng(5, view + 1, 1)
            camera = Camera.draw(view, 0.0, WORLDS["studio"], rngs)
            look = camera.follow(scene.motion.pelvis, scene.stature)
            joints.append(torch.from_numpy(look.orient(scene.joints)).float())
            frames.append(crop_frame(torch.from_numpy(look.orient(scene.skin)), standin.faces, joints[-1][:, 0]))
    return torch.cat(joints), torch.cat([f.origin for f in frames]), torch.cat([f.height for f in frames])


def test_joints_tell_where_the_crop_is(scenes):
    joints, origin, height = scenes
    found = joint_crop_frame(joints)
    away = (found.origin - origin).abs() / height[:, None]
    assert ((found.height - height).abs() / height).max() < 0.02
    assert away[:, 0].max() < 0.02 and away[:, 1].max() < 0.02
    assert away[:, 2].max() == 0


def test_unit_and_origin_do_not_matter(scenes):
    joints = scenes[0].double()
    frame, moved = joint_crop_frame(joints), joint_crop_frame(joints * 250 + torch.tensor([30.0, -7.0, 4000.0]))
    torch.testing.assert_close(moved.height, frame.height * 250)
    torch.testing.assert_close(moved.origin, frame.origin * 250 + torch.tensor([30.0, -7.0, 4000.0]).double())


def test_a_mirrored_body_has_the_mirrored_frame(scenes):
    joints = scenes[0].double()
    mirrored = joints[:, list(JOINT_FLIP)] * torch.tensor([-1, 1, 1])
    frame, other = joint_crop_frame(joints), joint_crop_frame(mirrored)
    torch.testing.assert_close(other.origin, frame.origin * torch.tensor([-1, 1, 1]), atol=1e-9, rtol=0)
    torch.testing.assert_close(other.height, frame.height)


def test_the_shares_are_a_mean_and_the_balls_have_a_size():
    assert OUTLINE.share.shape == (24,) and OUTLINE.share.sum().item() == pytest.approx(1, abs=1e-6)
    assert (OUTLINE.radius > 0).all()


def test_the_size_of_a_body_is_its_own(standin, scenes):
    sizes = body_size(scenes[0]).view(2, -1)
    # Trunk and a leg of adults, the same in every frame of a person's.
    assert ((sizes > 1.0) & (sizes < 1.7)).all()
    assert (sizes.std(1) / sizes.mean(1) < 0.01).all()


def test_a_raised_hand_is_the_top(standin):
    pose = torch.zeros(1, 24, 3)
    pose[:, 0, 0] = torch.pi
    pose[:, 16, 2] = 1.4  # the left arm, from the T-pose upwards
    vertices, joints = standin(pose.flatten(1), torch.zeros(1, 10))
    true, found = crop_frame(vertices, standin.faces, joints[:, 0]), joint_crop_frame(joints)
    assert true.origin[0, 1] < joints[0, 15, 1] - 0.3  # far above the head
    assert abs(found.height / true.height - 1) < 0.03
