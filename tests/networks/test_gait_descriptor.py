"""What markers say of build and motion, in the body's own frame."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from opengait_meshgait.networks.gait_descriptor import GaitDescriptor, body_frame, descriptor_size

DESCRIBE = GaitDescriptor()
SIDE, FLIP = torch.tensor([1.0, -1.0, 1.0, -1.0, 0.0]), torch.tensor([1, 0, 3, 2, 4])


def _body(seed=0, frames=3):
    """Frames of markers ``[2, frames, 5, 3]`` whose left is clear."""
    points = 0.1 * torch.randn(2, frames, 5, 3, generator=torch.Generator().manual_seed(seed))
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
    found, _ = body_frame(_turned(points, angle, shift), SIDE)
    torch.testing.assert_close(found, body_frame(points, SIDE)[0], atol=1e-5, rtol=1e-4)


def test_the_bodys_left_points_along_x():
    found, _ = body_frame(_turned(_body(), 2.0), SIDE)
    left = (SIDE[:, None] * found).sum(-2)
    assert (left[..., 0] > 0).all()
    torch.testing.assert_close(left[..., 2], torch.zeros(2, 3), atol=1e-6, rtol=0)
    torch.testing.assert_close(found.mean(-2), torch.zeros(2, 3, 3), atol=1e-6, rtol=0)


def test_z_points_backward():
    # Someone who faces the camera has the left hand on the picture's right, and the nose is nearest to the camera.
    facing = torch.tensor([[0.2, 0.5, 0.0], [-0.2, 0.5, 0.0], [0.0, 0.1, -0.2]])
    assert body_frame(facing, torch.tensor([1.0, -1.0, 0.0]))[0][2, 2] < -0.1


def test_without_sides_nothing_is_turned():
    points = _body()
    torch.testing.assert_close(body_frame(points, torch.zeros(5))[0], points - points.mean(-2, keepdim=True))


@settings(deadline=None, max_examples=50)
@given(angle=st.floats(-math.pi, math.pi), shift=st.tuples(*[st.floats(-1, 1)] * 3))
def test_the_viewing_angle_is_the_angle_from_the_cameras_right_to_the_bodys_left(angle, shift):
    body = torch.tensor([[0.2, 0.5, 0.0], [-0.2, 0.5, 0.0], [0.1, 0.9, 0.0], [-0.1, 0.9, 0.0], [0.0, 0.1, 0.0]])
    found = DESCRIBE(_turned(body, angle, shift)[None, None], SIDE, FLIP)[1]
    expected = [math.cos(angle), math.sin(angle), math.cos(2 * angle), math.sin(2 * angle)]
    torch.testing.assert_close(found, torch.tensor([expected]), atol=1e-4, rtol=0)


def _walk(frames, period=27.0, start=0.0):
    """Markers ``[1, frames, 5, 3]``: feet that swing along z, a head that nods twice a stride; the pelvis is still."""
    phase = 2 * math.pi * (torch.arange(frames) / period + start)
    markers = torch.zeros(1, frames, 5, 3)
    markers[0, :, :4] = torch.tensor([[0.1, 0.0, 0.0], [-0.1, 0.0, 0.0], [0.1, 0.8, 0.0], [-0.1, 0.8, 0.0]])
    markers[0, :, 2, 2], markers[0, :, 3, 2] = 0.2 * phase.cos(), -0.2 * phase.cos()
    markers[0, :, 4, 1] = -0.8 + 0.05 * (2 * phase).sin()
    return markers


def _parts(found):
    """The mean, four amplitudes, ``[5, 5, 3]``, and the period."""
    return found[0, :-1].view(5, 5, 3), found[0, -1]


@pytest.mark.parametrize("frames", [20, 27, 31, 100])
@pytest.mark.parametrize("start", [0.0, 0.3, 0.8])
def test_amplitudes_of_a_walk_wherever_in_the_stride_it_begins(frames, start):
    # The sides' markers are too few to hide the swing of two feet from the body's direction: it is told it.
    markers = _walk(frames, start=start)
    markers[0, :, 0, 0] += 100
    markers[0, :, 1, 0] -= 100
    (_, cosine, sine, cosine2, sine2), period = _parts(DESCRIBE(markers, SIDE, FLIP)[0])
    assert 100 * period == pytest.approx(27, abs=1)
    # Up to a tenth is drawn towards no motion.
    assert cosine[2, 2] == pytest.approx(0.2, abs=0.025)
    assert cosine[3, 2] == pytest.approx(-0.2, abs=0.025)
    assert sine[:, 2].abs().max() < 1e-3
    # Around the centre of five markers, four fifths of the nod are the head's.
    assert sine2[4, 1] == pytest.approx(0.04, abs=0.006)
    assert cosine2[4, 1].abs() < 0.003


def test_sequences_that_begin_elsewhere_in_the_stride_say_the_same():
    first, second = (DESCRIBE(_walk(54, start=start), SIDE, FLIP)[0] for start in (0.1, 0.65))
    torch.testing.assert_close(first, second, atol=4e-3, rtol=0)


def test_what_one_side_does_the_other_does_half_a_stride_later():
    (_, *amplitudes), _ = _parts(DESCRIBE(_body(), SIDE, FLIP)[0][:1])
    mirror = torch.tensor([-1.0, 1.0, 1.0])
    for sign, amplitude in zip((-1, -1, 1, 1), amplitudes):
        torch.testing.assert_close(amplitude[FLIP] * mirror, sign * amplitude)


@pytest.mark.parametrize("frames", [3, 40])
def test_it_does_not_depend_on_the_view(frames):
    body = _body(frames=frames)
    assert DESCRIBE(body, SIDE, FLIP)[0].shape == (2, descriptor_size(5))
    found = DESCRIBE(_turned(body, 1.3), SIDE, FLIP)[0]
    torch.testing.assert_close(found, DESCRIBE(body, SIDE, FLIP)[0], atol=1e-5, rtol=1e-4)


def test_single_frames_do_not_move():
    (mean, *amplitudes), _ = _parts(DESCRIBE(_body()[:1, :1], SIDE, FLIP)[0])
    assert mean.abs().sum() > 0
    for amplitude in amplitudes[:2]:  # what the sides do in opposite ways may be a posture
        assert amplitude.isfinite().all()
    for amplitude in amplitudes[2:]:
        torch.testing.assert_close(amplitude, torch.zeros(5, 3), atol=1e-6, rtol=0)


@pytest.mark.parametrize("lengths", [[3, 2], [1, 40, 1], [33, 64, 7, 65]])  # below, above and at windows' borders
def test_packed_sequences_give_what_each_gives_alone(lengths):
    sequences = [_walk(length, start=0.1 * place) for place, length in enumerate(lengths)]
    alone = zip(*(DESCRIBE(sequence, SIDE, FLIP) for sequence in sequences))
    for found, expected in zip(DESCRIBE(torch.cat(sequences, dim=1), SIDE, FLIP, torch.tensor([lengths])), alone):
        torch.testing.assert_close(found, torch.cat(expected), atol=1e-5, rtol=1e-4)
