import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opengait_meshgait.walkers.bones import turn
from opengait_meshgait.walkers.curve import Curve, bend
from opengait_meshgait.walkers.gait import FRAMES_PER_SECOND, Motion
from opengait_meshgait.walkers.stride import LEG_JOINTS

CURVES = st.builds(Curve, st.floats(0, 0.6), st.floats(4, 20), st.floats(0, 6.28))


def joints_of(motion, rest, parents):
    """Places of the joints by forward kinematics, m, [T, 24, 3]."""
    places = np.empty((*motion.world.shape[:2], 3))
    places[:, 0] = motion.pelvis
    for joint, parent in enumerate(parents[1:], start=1):
        places[:, joint] = places[:, parent] + motion.world[:, parent] @ (rest[joint] - rest[parent])
    return places


def test_a_wave_without_an_end_is_a_circle():
    """With nearly one curvature all along, a way of a quarter of a circle of 2 m ends 2 m ahead and 2 m to the left."""
    curve = Curve(0.5, 1e6, 0.0)
    end = curve.place(np.array([[0.0, 1.0, np.pi], [0.3, 1.0, 0.0]]))
    np.testing.assert_allclose(end, [[2, 1, 2], [0.3, 1, 0]], atol=1e-4)
    assert curve.heading(np.array(np.pi)) == pytest.approx(np.pi / 2)


@given(CURVES, st.floats(-4, 4), st.floats(-0.2, 0.2))
def test_the_ground_is_bent_and_not_torn(curve, z, x):
    """A small square on the ground turns by the heading, and stretches along the way with the distance beside it."""
    step = 1e-3
    here, ahead, beside = curve.place(np.array([[x, 0, z], [x, 0, z + step], [x + step, 0, z]]))
    left, forward = (turn("Y", curve.heading(np.array(z)))[0][:, axis] for axis in (0, 2))
    np.testing.assert_allclose((beside - here) / step, left, atol=1e-6)
    np.testing.assert_allclose((ahead - here) / step @ forward, 1, atol=curve.curvature * abs(x) + 2e-3)


@given(CURVES, st.floats(-4, 4))
def test_the_heading_changes_no_faster_than_the_curvature(curve, z):
    assert curve.heading(np.array(0.0)) == 0
    change = (curve.heading(np.array(z + 1e-4)) - curve.heading(np.array(z))) / 1e-4
    assert abs(change) <= curve.curvature + 1e-6


def test_no_curve_changes_nothing(walked, rest):
    straight = bend(walked.motion, Curve(0.0, 4.0, 0.0), rest)
    np.testing.assert_allclose(straight.world, walked.motion.world, atol=1e-6)
    np.testing.assert_allclose(straight.pelvis[:, 1:], walked.motion.pelvis[:, 1:], atol=1e-9)


@pytest.mark.parametrize("curve", [Curve(0.4, 1e6, 0.0), Curve(0.5, 4.0, 1.0)])
def test_feet_stand_where_the_bent_ground_has_them(curve, walked, rest, body):
    bent = bend(walked.motion, curve, rest)
    before, after = (joints_of(motion, rest, body.parents) for motion in (walked.motion, bent))
    shift = curve.place(walked.motion.pelvis).mean(0) * [1, 0, 1]
    for _, knee, ankle, toe in LEG_JOINTS.values():
        gap = np.linalg.norm(after[:, ankle] - (curve.place(before[:, ankle]) - shift), axis=1)
        assert gap.max() < 0.012 and np.median(gap) < 1e-6  # a straight leg may be too short
        np.testing.assert_allclose(after[:, ankle, 1], before[:, ankle, 1], atol=0.006)
        np.testing.assert_allclose(after[:, knee, 1], before[:, knee, 1], atol=0.03)
        # Feet turn about the vertical alone.
        for joint in (ankle, toe):
            np.testing.assert_allclose(bent.world[:, joint, 1], walked.motion.world[:, joint, 1], atol=1e-9)
    assert np.abs(bent.world @ bent.world.swapaxes(-1, -2) - np.eye(3)).max() < 1e-5
    assert bent.pelvis[:, [0, 2]].mean(0) == pytest.approx(0, abs=1e-9)


def test_the_middle_of_the_walk_goes_ahead(walked, rest):
    bent = bend(walked.motion, Curve(0.4, 1e6, 0.0), rest)
    middle = np.abs(walked.motion.pelvis[:, 2]).argmin()
    way = np.diff(bent.pelvis, axis=0)
    headings = np.arctan2(way[:, 0], way[:, 2]) - np.arctan2(*np.diff(walked.motion.pelvis, axis=0)[:, [0, 2]].T)
    assert abs(headings[middle]) < 0.03
    np.testing.assert_allclose(headings, 0.4 * walked.motion.pelvis[1:, 2], atol=0.03)


def test_drawn_curves_turn_no_faster_than_they_may(walked):
    rates = []
    for seed in range(50):
        curve = Curve.draw(30.0, walked.motion, np.random.default_rng(seed))
        heading = curve.heading(walked.motion.pelvis[:, 2])
        rates.append(np.rad2deg(np.abs(np.diff(heading)).max()) * FRAMES_PER_SECOND)
    assert 20 < max(rates) < 31 and min(rates) < 5


def test_people_who_stand_or_walk_in_a_curve_are_hardly_bent(walked):
    still = Motion(walked.motion.phase, walked.motion.pelvis * [1, 1, 0], walked.motion.world)
    assert np.ptp(Curve.draw(30.0, still, np.random.default_rng(0)).heading(still.pelvis[:, 2])) == 0
    wide = Motion(walked.motion.phase, walked.motion.pelvis * [30, 1, 1], walked.motion.world)
    curves = [Curve.draw(30.0, wide, np.random.default_rng(seed)) for seed in range(20)]
    assert max(curve.curvature for curve in curves) * np.abs(wide.pelvis[:, 0]).max() <= 0.1 + 1e-9
