"""What markers say of build and motion, in the body's own frame."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from opengait_meshgait.networks.description import NUMBERS, body_frame, describe

SIDE = torch.tensor([1.0, -1.0, 1.0, -1.0, 0.0])


def _body(seed=0):
    """Frames of markers ``[2, 3, 5, 3]`` whose left is clear."""
    points = 0.1 * torch.randn(2, 3, 5, 3, generator=torch.Generator().manual_seed(seed))
    points[..., 0] += 0.3 * SIDE
    return points + torch.tensor([0.0, 0.5, 0.0])


def _turned(points, angle, shift=(0.0, 0.0, 0.0)):
    cosine, sine = math.cos(angle), math.sin(angle)
    turn = torch.tensor([[cosine, 0, -sine], [0, 1, 0], [sine, 0, cosine]])
    return points @ turn.T + torch.tensor(shift)


@settings(deadline=None, max_examples=50)
@given(angle=st.floats(-math.pi, math.pi), shift=st.tuples(*[st.floats(-1, 1)] * 3), seed=st.integers(0, 100))
def test_the_direction_of_view_is_gone(angle, shift, seed):
    points = _body(seed)
    found = body_frame(_turned(points, angle, shift), SIDE)
    torch.testing.assert_close(found, body_frame(points, SIDE), atol=1e-5, rtol=1e-4)


def test_the_bodys_left_points_along_x():
    found = body_frame(_turned(_body(), 2.0), SIDE)
    left = (SIDE[:, None] * found).sum(-2)
    assert (left[..., 0] > 0).all()
    torch.testing.assert_close(left[..., 2], torch.zeros(2, 3), atol=1e-6, rtol=0)
    torch.testing.assert_close(found.mean(-2), torch.zeros(2, 3, 3), atol=1e-6, rtol=0)


def test_z_points_backward():
    # Someone who faces the camera has the left hand on the picture's right, and the nose is nearest to the camera.
    facing = torch.tensor([[0.2, 0.5, 0.0], [-0.2, 0.5, 0.0], [0.0, 0.1, -0.2]])
    assert body_frame(facing, torch.tensor([1.0, -1.0, 0.0]))[2, 2] < -0.1


def test_without_sides_nothing_is_turned():
    points = _body()
    torch.testing.assert_close(body_frame(points, torch.zeros(5)), points - points.mean(-2, keepdim=True))


def test_it_does_not_depend_on_the_view():
    assert describe(_body(), SIDE).shape == (2, NUMBERS * 5)
    torch.testing.assert_close(describe(_turned(_body(), 1.3), SIDE), describe(_body(), SIDE), atol=1e-5, rtol=1e-4)


def test_mean_spread_and_change_of_a_swing():
    # A marker swings by 0.1 along y and comes back every 12 frames; the other one stands still, far away from it.
    frames = torch.arange(48)
    markers = torch.zeros(1, 48, 2, 3)
    markers[0, :, 0, 1] = 0.2 * torch.sin(2 * math.pi * frames / 12)
    mean, spread, *changes = describe(markers, torch.zeros(2)).view(5, 2, 3)[:, 0, 1].tolist()
    assert mean == pytest.approx(0, abs=1e-6)
    # Around the centre of both, half of the swing is left.
    assert spread == pytest.approx(0.1 / math.sqrt(2), rel=1e-4)
    for lag, change in zip((1, 3, 6), changes):
        assert change == pytest.approx(2 * 0.1 / math.sqrt(2) * math.sin(math.pi * lag / 12), rel=0.05)


def test_single_frames_do_not_move():
    found = describe(_body()[:, :1], SIDE).view(2, 5, 15)
    assert torch.equal(found[:, 1:], torch.zeros(2, 4, 15))
    assert found[:, 0].abs().sum() > 0


def test_packed_sequences_give_what_each_gives_alone():
    first, second = _body(1)[:1], _body(2)[:1, :2]
    packed = describe(torch.cat([first, second], dim=1), SIDE, torch.tensor([[3, 2]]))
    torch.testing.assert_close(packed, torch.cat([describe(first, SIDE), describe(second, SIDE)]))
