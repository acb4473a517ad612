import numpy as np
import pytest

from opengait_meshgait.walkers.contact import sole_ways
from opengait_meshgait.walkers.gait import FRAMES_PER_SECOND, Burden
from opengait_meshgait.walkers.gait_model import load_gait
from opengait_meshgait.walkers.learned_walk import walk_learned
from opengait_meshgait.walkers.stride import SIDES, make_foot

FRAMES = 75


@pytest.fixture(scope="module")
def feet(body, rest):
    left, right = (make_foot(body.v_template.numpy(), body.weights.numpy(), rest, side) for side in SIDES)
    return left, right


@pytest.fixture(scope="module")
def walk(body, rest, feet):
    """A function that lets person ``number`` walk."""

    def make(number, **options):
        rng = np.random.default_rng([5, number])
        gait = load_gait("cmu").draw(rng).vary(rng)
        return walk_learned(gait, rest, body.parents, feet, options.pop("frames", FRAMES), rng, **options)

    return make


@pytest.fixture(scope="module")
def crowd(walk):
    return [walk(number) for number in range(100)]


def places(motion, rest, parents):
    """Of the joints, m, [T, 24, 3]."""
    found = np.repeat(motion.pelvis[:, None], 24, 1)
    for joint, parent in enumerate(parents[1:], start=1):
        found[:, joint] = found[:, parent] + motion.world[:, parent] @ (rest[joint] - rest[parent])
    return found


def test_people_walk_at_human_speed(crowd):
    speeds = np.array([np.ptp(motion.pelvis[:, 2]) / (FRAMES - 1) * FRAMES_PER_SECOND for motion in crowd])
    assert 1.0 < speeds.mean() < 1.4
    assert speeds.std() > 0.15
    assert ((speeds > 0.5) & (speeds < 2.2)).mean() >= 0.99


def test_they_walk_straight_ahead(crowd):
    for motion in crowd:
        assert motion.pelvis[-1, 2] > motion.pelvis[0, 2]
        assert np.abs(motion.pelvis[:, 0]).max() < 0.15
        assert motion.pelvis[:, [0, 2]].mean(0) == pytest.approx([0, 0], abs=1e-9)


def test_feet_neither_sink_nor_float(crowd, rest, feet):
    for motion in crowd[:40]:
        lowest = [sole[..., 1].min(1) for sole in sole_ways(motion.pelvis, motion.world, rest, feet)]
        assert np.min(lowest) > -0.010
        assert np.min(lowest, 0).max() < 0.020


def test_the_bearing_foot_does_not_slip(crowd, rest, feet):
    """While one foot is on the ground and the other one in the air."""
    slips = []
    for motion in crowd[:40]:
        soles = sole_ways(motion.pelvis, motion.world, rest, feet)
        lowest = np.stack([sole[..., 1].min(1) for sole in soles])
        for foot, (sole, low) in enumerate(zip(soles, lowest)):
            alone = (lowest[1 - foot] > 0.02) & (low < 0.01)
            alone = alone[1:] & alone[:-1]
            touching = np.exp((low[:, None] - sole[..., 1]) / 0.002)
            touching = touching[1:] * touching[:-1]
            moved = np.linalg.norm(np.diff(sole[..., [0, 2]], axis=0), axis=2)
            slips += list(((moved * touching).sum(1) / touching.sum(1))[alone])
    assert len(slips) > 500
    assert np.median(slips) < 0.002 and np.percentile(slips, 95) < 0.006


def test_knees_bend_forward_and_elbows_backward(crowd, rest, body):
    for motion in crowd:
        at = places(motion, rest, body.parents)
        for hip, knee, ankle in ((1, 4, 7), (2, 5, 8)):
            middle = at[:, hip] + (at[:, ankle] - at[:, hip]) * 0.5
            ahead = motion.world[:, hip, :, 2]
            assert (((at[:, knee] - middle) * ahead).sum(-1)).min() > -0.012
        for elbow in (18, 19):
            upper = motion.world[:, elbow - 2]
            bend = upper.swapaxes(-1, -2) @ motion.world[:, elbow]
            assert (bend[:, 2, 0] * (1 if elbow == 18 else -1)).min() > 0


def test_the_same_seed_walks_alike(walk):
    first, again = walk(3, stop=0.5), walk(3, stop=0.5)
    assert np.array_equal(first.world, again.world) and np.array_equal(first.pelvis, again.pelvis)


@pytest.mark.parametrize("number", range(8))
def test_who_stops_stands(walk, number):
    motion = walk(number, stop=1.0, frames=100)
    speed = np.diff(motion.pelvis[:, 2]) * FRAMES_PER_SECOND
    ends = sorted([speed[:5].mean(), speed[-5:].mean()])
    assert abs(ends[0]) < 0.15 and ends[1] > 0.5
    assert np.diff(motion.phase).min() >= 0


def test_a_burden_changes_the_posture(walk):
    free, loaded = walk(4), walk(4, burden=Burden(lean=12.0, arm_swing=(0.2, 1.0)))

    def lean(motion):
        return np.rad2deg(np.arctan2(motion.world[:, 9, 2, 1], motion.world[:, 9, 1, 1])).mean()

    def swing(motion, joint):
        return np.ptp(motion.world[:, joint] @ motion.world[:1, joint].swapaxes(-1, -2), axis=0).max()

    assert lean(loaded) - lean(free) == pytest.approx(12, abs=1)
    assert swing(loaded, 16) < swing(free, 16)
