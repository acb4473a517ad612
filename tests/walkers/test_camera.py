import numpy as np
import pytest
import torch

from opengait_meshgait.body.crop import crop_frame
from opengait_meshgait.walkers.camera import (
    BODY_ROWS,
    PICTURE_SIZE,
    Camera,
    CameraTrack,
    half_bin,
    to_picture,
    weak_perspective,
)
from opengait_meshgait.walkers.world import WORLDS

WAY = np.array([[0.0, 0.9, -0.5], [0.0, 0.9, 0.5]])
STRAIGHT = CameraTrack(np.zeros(3), np.eye(3)[None], np.eye(3))


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


def draw(view, bin_, world, seeds=200):
    rngs = ([np.random.default_rng([seed, stream]) for stream in (0, 1)] for seed in range(seeds))
    return [Camera.draw(view, bin_, WORLDS[world], pair) for pair in rngs]


def test_cameras_of_the_studio_are_far_and_above_the_middle_of_the_body():
    cameras = draw(54, 9, "studio")
    assert all(6 <= camera.distance <= 12 and 1.0 < camera.height < 2.5 for camera in cameras)
    assert all(camera.roll == 0 and camera.aim == (0, 0) for camera in cameras)
    assert abs(np.mean([camera.azimuth for camera in cameras]) - 54) < 0.5


def test_cameras_of_the_street_fill_the_bin_of_their_view():
    cameras = draw(0, 18, "street")
    azimuths, distances, heights, rolls = (
        np.array([getattr(camera, name) for camera in cameras]) for name in ("azimuth", "distance", "height", "roll")
    )
    assert np.abs(azimuths).max() <= 18
    assert np.histogram(azimuths, 4, (-18, 18))[0].min() > 30
    assert 2.5 <= distances.min() < 3 and 13 < distances.max() <= 15 and 5 < np.median(distances) < 7.5
    assert heights.min() >= 0.4 and heights.max() <= 4.5 and ((heights > 1) & (heights < 2.5)).mean() > 0.5
    assert 2 < np.abs(rolls).max() <= 3
    assert len({camera.aim for camera in cameras}) == 200


@pytest.mark.parametrize(
    ("view", "views", "half"),
    [
        (0, (0,), 180),
        (0, (0, 90, 180), 45),
        (0, tuple(range(0, 360, 36)), 18),
        (324, (0, 180, 324), 18),
        (90, (0, 80, 90), 5),
    ],
)
def test_a_bin_ends_half_way_to_the_nearest_view_all_around(view, views, half):
    assert half_bin(view, views) == half


@pytest.mark.parametrize("azimuth", [0, 90, 200])
def test_no_walker_comes_nearer_than_allowed(azimuth):
    way = np.stack([0.1 * np.sin(np.arange(80)), np.full(80, 0.9), np.linspace(-4, 4, 80)], 1)
    camera = Camera(azimuth, 2.6, 1.5).outside(way, 2.5)
    track = camera.follow(way, 1.7)
    nearest = np.linalg.norm((way - track.position)[:, [0, 2]], axis=1).min()
    assert nearest >= 2.5 - 1e-9
    # Moved no further than needed, and not at all from beside the way.
    assert nearest == pytest.approx(2.5, abs=0.01 if azimuth != 90 else 0.1)
    assert Camera(azimuth, 9.0, 1.5).outside(way, 2.5).distance == 9.0
    assert Camera(azimuth, 1.0, 1.5).outside(way, 0.0).distance == 1.0


def axis_of(track):
    """Where the camera's own axis points, in camera orientation."""
    return track.lens.T @ [0, 0, 1.0]


def test_aim_moves_the_axis_and_turns_no_body():
    straight = Camera(30, 4.0, 1.0).follow(WAY, 1.7)
    np.testing.assert_array_equal(straight.lens, np.eye(3))
    aimed = Camera(30, 4.0, 1.0, aim=(5.0, 0.0)).follow(WAY, 1.7)
    np.testing.assert_array_equal(aimed.axes, straight.axes)
    np.testing.assert_allclose(axis_of(aimed), [np.sin(np.deg2rad(5)), 0, np.cos(np.deg2rad(5))], atol=1e-12)
    upwards = axis_of(Camera(30, 4.0, 1.0, aim=(0.0, 5.0)).follow(WAY, 1.7))
    np.testing.assert_allclose(upwards, [0, -np.sin(np.deg2rad(5)), np.cos(np.deg2rad(5))], atol=1e-12)
    # Perspective about another axis: the plane of the picture is tilted, so that the nearer side becomes larger.
    sides = np.array([[[-1.0, 0, 4], [0, 0, 4], [1, 0, 4]]], np.float32)
    left, middle, right = aimed.project(sides)[0, 0].tolist()
    assert middle - left > right - middle


def test_roll_turns_the_picture():
    up = np.array([[[0.0, 1.7, 0]]] * 2, np.float32) + WAY[:, None] * np.array([1, 0, 1])
    plain, rolled = (Camera(0, 9.0, 1.5, roll).follow(WAY, 1.7) for roll in (0.0, 3.0))
    before, after = (track.project(track.orient(up.astype(np.float32)))[0, :, 0].numpy() for track in (plain, rolled))
    # The camera is turned clockwise, so what it sees is turned the other way.
    angle = np.rad2deg(np.arctan2(after[0], -after[1]) - np.arctan2(before[0], -before[1]))
    assert angle == pytest.approx(-3, abs=1e-3)
    assert np.hypot(*after) == pytest.approx(np.hypot(*before), rel=1e-5)


def test_the_walker_fills_the_picture(body):
    vertices = body.v_template.numpy()[None] * [1, -1, -1] + [0, 0, 9.0]
    flat = STRAIGHT.project(vertices.astype(np.float32))
    pixels = to_picture(flat, crop_frame(flat.mT, body.faces, torch.zeros(1, 3)))
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
    flat = STRAIGHT.project(np.array([[[1.0, 2.0, 4.0]]], np.float32))
    torch.testing.assert_close(flat, torch.tensor([[[0.25], [0.5]]]))
