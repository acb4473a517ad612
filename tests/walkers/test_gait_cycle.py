import numpy as np
import pytest

from opengait_meshgait.walkers.bones import matrices, turn
from opengait_meshgait.walkers.gait import Motion
from opengait_meshgait.walkers.gait_cycle import (
    CYCLE_LENGTH,
    GAIT_JOINTS,
    HARMONICS,
    WAVES,
    Cycle,
    cut_cycles,
    mirror_rotations,
    mirror_vectors,
    stride_waves,
)

UNTWISTED = [GAIT_JOINTS.index(joint) for joint in (0, 3, 6, 9, 12, 13, 14, 15)]  # all but the limbs
PLAIN = np.tile(np.eye(3), (len(GAIT_JOINTS), 1, 1))


def chain(local, parents):
    """World rotations [T, 24, 3, 3] of local ones."""
    world = local.copy()
    for joint, parent in enumerate(parents[1:], start=1):
        world[:, joint] = world[:, parent] @ local[:, joint]
    return world


@pytest.fixture
def coefficients():
    """Of a gait whose thighs swing against each other, with a little of everything."""
    values = np.random.default_rng(0).normal(0, 0.03, (WAVES, len(GAIT_JOINTS), 3))
    values[1, 1, 0], values[1, 2, 0] = -0.4, 0.4
    values[1 + HARMONICS, 1:3, 0] = 0
    return values


@pytest.fixture
def swinging(coefficients, body):
    """A function that makes the motion of that gait: ``period`` in frames, turning by ``turned`` rad a stride."""

    def make(period, frames, turned=0.0, start=0.3):
        phase = start + np.arange(frames) / period
        heading = turn("Y", turned * phase)
        local = np.tile(np.eye(3), (frames, 24, 1, 1))
        angles = np.einsum("tw,wjc->tjc", stride_waves(phase), coefficients)
        local[:, GAIT_JOINTS] = matrices(angles)
        local[:, 0] = heading @ local[:, 0]
        way = np.concatenate([[[0, 0, 0]], heading[:-1, :, 2] * 0.05]).cumsum(0)
        return Motion(phase, way, chain(local, body.parents))

    return make


def test_a_known_gait_is_recovered(swinging, coefficients, rest, body):
    """Phase 0 is where the feet are furthest apart, so phases are shifted; nothing else is."""
    for cycle, start in zip(cut_cycles(swinging(25.0, 80), rest, body.parents, leg=0.85), (0, 29), strict=True):
        vector = cycle.vector(PLAIN)
        assert np.exp(vector[-1]) == pytest.approx(1.0, abs=1e-9)
        phase = np.arange(20) / 20
        shifted = phase + 0.3 + start / 25 - cycle.phase[0]
        found = (stride_waves(phase) @ vector[:-1].reshape(WAVES, -1)).reshape(20, -1, 3)
        true = np.einsum("tw,wjc->tjc", stride_waves(shifted), coefficients)
        np.testing.assert_allclose(found[:, UNTWISTED], true[:, UNTWISTED], atol=1e-4)


def test_limbs_lose_nothing_but_their_twist(swinging, rest, body):
    """Thighs and shanks, upper and lower arms point where they did, hands and feet are turned as they were."""
    motion = swinging(25.0, 40)
    cycle = cut_cycles(motion, rest, body.parents, leg=0.85)[0]
    local = motion.local(body.parents)
    at = {joint: place for place, joint in enumerate(GAIT_JOINTS)}
    for upper, lower, last, bone in ((1, 4, 7, [0, -1, 0]), (17, 19, 21, [-1, 0, 0])):
        before, after = local[:, upper], cycle.rotations[:, at[upper]]
        np.testing.assert_allclose(after @ bone, before @ bone, atol=1e-9)
        before, after = before @ local[:, lower], after @ cycle.rotations[:, at[lower]]
        np.testing.assert_allclose(after @ bone, before @ bone, atol=1e-9)
        before, after = before @ local[:, last], after @ cycle.rotations[:, at[last]]
        np.testing.assert_allclose(after, before, atol=1e-9)


def test_a_turn_of_the_way_is_no_part_of_the_gait(swinging, rest, body):
    straight, turning = (
        cut_cycles(swinging(25.0, 51, turned), rest, body.parents, leg=0.85)[0].vector(PLAIN) for turned in (0, 0.3)
    )
    np.testing.assert_allclose(turning, straight, atol=0.02)


def test_longer_legs_stride_slower(swinging, rest, body):
    """Durations are scaled to one leg, as pendulums' are."""
    short, long = (cut_cycles(swinging(25.0, 60), rest, body.parents, leg)[0].duration for leg in (0.8, 0.9))
    assert short / long == pytest.approx(np.sqrt(0.9 / 0.8))


def test_mirror_image(rest):
    """Mirrored frames half a stride later have the mirrored vector; twice mirrored is the same."""
    rng = np.random.default_rng(1)
    phase = np.linspace(0.1, 2.3, 60)
    vector = rng.normal(0, 0.1, CYCLE_LENGTH)
    angles = (stride_waves(phase) @ vector[:-1].reshape(WAVES, -1)).reshape(60, len(GAIT_JOINTS), 3)
    mirrored = Cycle(phase + 0.5, mirror_rotations(matrices(angles)), float(np.exp(vector[-1])))
    np.testing.assert_allclose(mirrored.vector(PLAIN), mirror_vectors(vector), atol=1e-9)
    np.testing.assert_allclose(mirror_vectors(mirror_vectors(vector[None])), vector[None], atol=1e-12)
