import numpy as np
import pytest
import torch

from opengait_meshgait.body.crop import crop_frame
from opengait_meshgait.walkers.camera import (
    BODY_ROWS,
    PICTURE_SIZE,
    Camera,
    degrade,
    project,
    to_picture,
    weak_perspective,
)

WAY = np.array([[0.0, 0.9, -0.5], [0.0, 0.9, 0.5]])
NOSE = np.array([[[0.0, 1.5, 0.2]], [[0.0, 1.5, 0.2]]]) + WAY[:, None] * [1, 0, 1]


@pytest.mark.parametrize(("azimuth", "toward"), [(0, [0, 0, -1]), (90, [-1, 0, 0]), (180, [0, 0, 1]), (270, [1, 0, 0])])
def test_views_are_named_as_in_casia_b(azimuth, toward):
    """At 0 the walker faces the camera, at 90 the camera sees the left side, at 180 the back."""
    track = Camera(azimuth, 1000.0, 0.85).follow(WAY, 1.7)
    facing = track.axes[0] @ [0, 0, 1.0]
    np.testing.assert_allclose(facing, toward, atol=2e-3)
    left = track.axes[0] @ [1.0, 0, 0]
    np.testing.assert_allclose(
        left, {0: [1, 0, 0], 90: [0, 0, -1], 180: [-1, 0, 0], 270: [0, 0, 1]}[azimuth], atol=2e-3
    )


def test_axes_are_right_down_away():
    track = Camera(30.0, 9.0, 2.0).follow(WAY, 1.7)
    np.testing.assert_allclose(track.axes @ track.axes.swapaxes(1, 2), np.stack([np.eye(3)] * 2), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(track.axes), 1)
    assert np.all(track.axes[:, 1, 1] < -0.9)  # up in the world is up in the picture
    middle = track.orient((WAY * [1, 0, 1] + [0, 0.85, 0])[:, None].astype(np.float32))
    np.testing.assert_allclose(middle[..., :2], 0, atol=1e-6)
    assert np.all(middle[..., 2] > 8)


def test_cameras_are_far_and_above_the_middle_of_the_body():
    cameras = [Camera.draw(54, np.random.default_rng(seed)) for seed in range(200)]
    assert all(6 <= camera.distance <= 12 and 1.0 < camera.height < 2.5 for camera in cameras)
    assert abs(np.mean([camera.azimuth for camera in cameras]) - 54) < 0.5


def test_the_walker_fills_the_picture(body):
    vertices = body.v_template.numpy()[None] * [1, -1, -1] + [0, 0, 9.0]
    flat = project(vertices.astype(np.float32))
    pixels = to_picture(flat, crop_frame(flat, body.faces, flat[:, 0]))
    assert float(pixels[..., 1].max() - pixels[..., 1].min()) == pytest.approx(BODY_ROWS, abs=1e-3)
    assert pixels.min() >= 0 and pixels.max() <= PICTURE_SIZE


def test_a_weak_perspective_picture_gives_its_camera_back():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(4, 50, 3))
    camera = np.array([[0.9, 0.1, -0.2], [1.1, 0.0, 0.3], [0.5, -0.4, 0.0], [1.0, 0.0, 0.0]])
    normalised = camera[:, None, :1] * points[..., :2] + camera[:, None, 1:]
    found = weak_perspective(points, (normalised + 1) * PICTURE_SIZE / 2)
    np.testing.assert_allclose(found, camera, atol=1e-6)


def test_projection_divides_by_depth():
    flat = project(np.array([[[1.0, 2.0, 4.0]]], np.float32))
    torch.testing.assert_close(flat, torch.tensor([[[0.25, 0.5, 0.0]]]))


@pytest.fixture
def silhouettes():
    rows, columns = np.mgrid[:180, :180]
    figure = ((rows - 90) / 80) ** 2 + ((columns - 90) / 22) ** 2 < 1
    return np.stack([figure] * 20)


def overlap(a, b):
    return (a & b).sum() / (a | b).sum()


def test_level_zero_leaves_silhouettes_whole(silhouettes):
    assert degrade(silhouettes, 0.0, np.random.default_rng(0)) is silhouettes


def test_the_same_numbers_do_the_same_damage(silhouettes):
    first, second, other = (degrade(silhouettes, 0.5, np.random.default_rng(seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()


def test_more_noise_damages_more(silhouettes):
    levels = (0.1, 0.4, 1.0)
    mean = [
        np.mean([overlap(degrade(silhouettes, level, np.random.default_rng(s)), silhouettes) for s in range(8)])
        for level in levels
    ]
    assert 1 > mean[0] > mean[1] > mean[2] > 0.5


def test_every_kind_of_damage_occurs(silhouettes):
    rows = np.flatnonzero(silhouettes[0].any(1))
    cut = level_bar = holes = 0
    for seed in range(40):
        damaged = degrade(silhouettes, 0.5, np.random.default_rng(seed))
        filled = damaged.any(2)
        cut += (~filled[:, rows[-8:]]).all(1).any()
        level_bar += (~filled[:, rows[20:-40]]).any()
        holes += (silhouettes & ~damaged)[:, 60:120, 80:100].any()
    assert 0 < cut < 40 and 0 < level_bar < 40 and holes > 0


def test_something_is_always_left(silhouettes):
    for seed in range(30):
        damaged = degrade(silhouettes, 1.0, np.random.default_rng(seed))
        assert (damaged.sum((1, 2)) >= 0.3 * silhouettes.sum((1, 2))).all()


def test_the_input_stays(silhouettes):
    before = silhouettes.copy()
    degrade(silhouettes, 1.0, np.random.default_rng(0))
    np.testing.assert_array_equal(silhouettes, before)
