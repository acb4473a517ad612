"""Features from markers in the body's own frame."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.networks.marker_features import MarkerFeatures, body_frame

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


def test_features_do_not_depend_on_the_view():
    layer = MarkerFeatures(5, 4)
    layer.set_sides(SIDE)
    layer(_body())
    layer.eval()
    assert layer(_body()).shape == (2, 8, 4) == (2, layer.out_channels, layer.parts)
    torch.testing.assert_close(layer(_turned(_body(), 1.3)), layer(_body()), atol=1e-4, rtol=1e-3)


def test_packed_sequences_give_what_each_gives_alone():
    layer = MarkerFeatures(5, 4)
    layer(_body())
    layer.eval()
    first, second = _body(1)[:1], _body(2)[:1, :2]
    packed = layer(torch.cat([first, second], dim=1), torch.tensor([[3, 2]]))
    torch.testing.assert_close(packed, torch.cat([layer(first), layer(second)]))


def test_feedback_scales_the_gradient_of_the_markers_alone():
    layer, weights, gradients = MarkerFeatures(5, 4), torch.randn(2, 8, 1), {}
    layer.set_sides(SIDE)
    for layer.feedback in (1.0, 0.25):
        leaf = _body().requires_grad_()
        (layer(leaf) * weights).sum().backward()
        gradients[layer.feedback] = leaf.grad, layer.build[0].weight.grad
        layer.zero_grad()
    torch.testing.assert_close(gradients[0.25][0], 0.25 * gradients[1.0][0])
    assert gradients[1.0][0].abs().sum() > 0
    assert torch.equal(gradients[0.25][1], gradients[1.0][1])


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"channels": 0}, "channels and parts of 1 or more and got 0 and 4"),
        ({"parts": 0}, "got 128 and 0"),
        ({"feedback": -0.1}, "from 0"),
        ({"feedback": 2}, "to 1"),
    ],
)
def test_it_names_what_is_wrong(arguments, message):
    with pytest.raises(UserError, match=message):
        MarkerFeatures(5, **arguments)
