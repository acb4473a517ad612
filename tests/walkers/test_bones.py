import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opengait_meshgait.walkers.bones import Foot, reach_ankle, rotation_vectors, share, turn

THIGH, SHANK = np.array([0.012, -0.377, 0.0]), np.array([0.012, -0.425, 0.01])
FORWARD = np.array([[0.0, 0.0, 1.0]])


@given(
    st.floats(0.25, 0.79),
    st.floats(-0.9, 0.9),
    st.floats(-0.3, 0.3),
    st.floats(-0.3, 0.3),
)
def test_a_leg_reaches_its_ankle_with_the_knee_in_front(distance, ahead, aside, yaw):
    hip = np.array([[0.1, 0.9, 0.2]])
    ankle = hip + distance * (turn("ZX", aside, -ahead) @ [0, -1.0, 0])
    forward = turn("Y", yaw) @ [0, 0, 1.0]
    thigh, shank = reach_ankle(hip, ankle, THIGH, SHANK, forward)
    knee = hip + thigh @ THIGH
    np.testing.assert_allclose(knee + shank @ SHANK, ankle, atol=1e-9)
    for rotation in (thigh, shank):
        np.testing.assert_allclose(rotation @ rotation.swapaxes(1, 2), np.eye(3)[None], atol=1e-9)
        assert np.linalg.det(rotation) == pytest.approx(1)
    # The knee lies before the straight line from hip to ankle.
    assert ((knee - (hip + ankle) / 2) * forward).sum() > 0 or distance > 0.78


def test_an_ankle_out_of_reach_is_approached_with_a_straight_leg():
    hip, ankle = np.array([[0.0, 1.0, 0.0]]), np.array([[0.0, -1.0, 0.0]])
    thigh, shank = reach_ankle(hip, ankle, THIGH, SHANK, FORWARD)
    reached = hip + thigh @ THIGH + shank @ SHANK
    length = np.linalg.norm(THIGH) + np.linalg.norm(SHANK)
    np.testing.assert_allclose(reached, [[0, 1 - length, 0]], atol=2e-3)


def test_a_round_foot_rolls_like_a_wheel():
    angle = np.linspace(0, 2 * np.pi, 7200, endpoint=False)
    sole = 0.08 * np.stack([0 * angle, np.sin(angle), np.cos(angle)], 1)
    foot = Foot(sole, np.array([0.0, 0.0, 0.1]), np.zeros(len(sole)))
    pitch = np.linspace(0, -0.5, 200)
    height, roll = foot.height_and_roll(pitch, 0 * pitch)
    np.testing.assert_allclose(height, 0.08, atol=1e-6)
    np.testing.assert_allclose(roll, -0.08 * pitch, atol=1e-3)


def test_a_flat_foot_pivots_about_its_edge():
    corners = np.array([[0.0, -0.08, -0.06], [0.0, -0.08, 0.14]])
    foot = Foot(corners, np.array([0.0, -0.06, 0.1]), np.zeros(2))
    pitch = np.linspace(-0.05, -0.6, 300)
    height, roll = foot.height_and_roll(pitch, 0 * pitch)
    # With the heel up the front edge stays where it is and the ankle turns about it.
    edge = turn("X", -pitch) @ corners[1]
    np.testing.assert_allclose(height, -edge[:, 1], atol=1e-9)
    np.testing.assert_allclose(roll, edge[0, 2] - edge[:, 2], atol=1e-6)


def test_toes_that_bend_by_the_pitch_stay_flat():
    toe = np.array([[0.0, -0.08, 0.12], [0.0, -0.08, 0.18]])
    heel = np.array([[0.0, -0.08, -0.06]])
    foot = Foot(np.concatenate([heel, toe]), np.array([0.0, -0.06, 0.11]), np.array([0.0, 1.0, 1.0]))
    pitch = np.linspace(-0.02, -0.6, 100)
    _, roll = foot.height_and_roll(pitch, -pitch)
    ball = turn("X", -pitch) @ foot.ball
    np.testing.assert_allclose(roll, ball[0, 2] - ball[:, 2], atol=1e-5)


def test_turns_have_the_signs_they_say():
    quarter = np.pi / 2
    np.testing.assert_allclose(turn("X", quarter)[0] @ [0, 1, 0], [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(turn("Y", quarter)[0] @ [0, 0, 1], [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(turn("Z", quarter)[0] @ [1, 0, 0], [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(turn("YX", 0.3, 0.2), turn("Y", 0.3) @ turn("X", 0.2), atol=1e-12)


def test_shares_make_the_whole():
    whole = turn("YZX", np.array([0.4, -0.2]), 0.3, 0.1)
    part = share(whole, 3)
    np.testing.assert_allclose(part @ part @ part, whole, atol=1e-12)
    assert rotation_vectors(whole).shape == (2, 3)
