"""Curved ways: a straight walk bent together with the ground that it is on, so that planted feet stay planted."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.integrate import cumulative_trapezoid

from opengait_meshgait.walkers.bones import reach_ankle, turn
from opengait_meshgait.walkers.gait import FRAMES_PER_SECOND, Motion
from opengait_meshgait.walkers.stride import LEG_JOINTS, SIDES

_WAVE = (4.0, 20.0)  # m, log-uniform: from a turn to the left to the next one
_SLOWEST = 0.3  # m/s: standing people do not turn
_STRETCH = 0.1  # of lengths on the ground beside a curve, at most
_STEP = 0.01  # m


@dataclass(frozen=True)
class Curve:
    """A way on the ground that weaves left and right.

    Attributes:
        curvature: the largest, 1/m.
        wave: m, from a turn to the left to the next one.
        start: rad, where in the wave z = 0 is.
    """

    curvature: float
    wave: float
    start: float

    @classmethod
    def draw(cls, turn_rate: float, motion: Motion, rng: np.random.Generator) -> "Curve":
        """A way for a walk straight ahead, on which the heading changes by up to ``turn_rate`` degrees/s."""
        steps = np.abs(np.diff(motion.pelvis[:, 2], append=motion.pelvis[-1:, 2]))
        speed = np.percentile(steps, 90) * FRAMES_PER_SECOND
        # Who walks in a curve already would be stretched at the side.
        lateral = max(np.abs(motion.pelvis[:, 0]).max(), 1e-3)
        curvature = rng.uniform(0, np.deg2rad(turn_rate)) / max(speed, _SLOWEST)
        wave = float(np.exp(rng.uniform(*np.log(_WAVE))))
        return cls(float(min(curvature, _STRETCH / lateral)), wave, float(rng.uniform(0, 2 * np.pi)))

    def heading(self, z: np.ndarray) -> np.ndarray:
        """Direction of the way, rad, left positive, after ``z`` m; 0 at z = 0."""
        wave_number = 2 * np.pi / self.wave
        return self.curvature / wave_number * (np.sin(wave_number * z + self.start) - np.sin(self.start))

    def place(self, points: np.ndarray) -> np.ndarray:
        """Where points [..., 3], m, come to lie whose z is along the way and whose x is beside it."""
        x, y, z = np.moveaxis(points, -1, 0)
        grid = np.arange(min(z.min(), 0) - _STEP, max(z.max(), 0) + 2 * _STEP, _STEP)
        along = []
        for direction in (np.sin, np.cos):
            way = cumulative_trapezoid(direction(self.heading(grid)), grid, initial=0)
            along.append(np.interp(z, grid, way) - np.interp(0, grid, way))
        heading = self.heading(z)
        return np.stack([along[0] + x * np.cos(heading), y, along[1] - x * np.sin(heading)], -1)


def bend(motion: Motion, curve: Curve, joints: np.ndarray) -> Motion:
    """The same walk along a curve.

    The ground is bent, and what stands on it stays there: pelvis and ankles go to where their places on the straight
    way come to lie, and turn with it. The legs reach from the one to the others with their knees as they were.

    Args:
        motion: straight ahead.
        curve: its heading is 0 at z = 0, the middle of the way.
        joints: of the body in the rest pose, m, [24, 3].
    """
    world = turn("Y", curve.heading(motion.pelvis[:, 2]))[:, None] @ motion.world
    pelvis = curve.place(motion.pelvis)
    for side in SIDES:
        hip, knee, ankle, toe = LEG_JOINTS[side]
        thigh, shank = joints[knee] - joints[hip], joints[ankle] - joints[knee]
        hip_at = motion.pelvis + motion.world[:, 0] @ (joints[hip] - joints[0])
        knee_at = hip_at + motion.world[:, hip] @ thigh
        ankle_at = knee_at + motion.world[:, knee] @ shank
        ankle_turn = turn("Y", curve.heading(ankle_at[:, 2]))
        leg_turn = turn("Y", curve.heading((hip_at[:, 2] + ankle_at[:, 2]) / 2))
        # Of a straight leg, that the knee points where the thigh does.
        forward = knee_at - (hip_at + ankle_at) / 2 + 1e-6 * motion.world[:, hip, :, 2]
        before = reach_ankle(hip_at, ankle_at, thigh, shank, forward)
        after = reach_ankle(
            pelvis + world[:, 0] @ (joints[hip] - joints[0]),
            curve.place(ankle_at),
            thigh,
            shank,
            (leg_turn @ forward[..., None])[..., 0],
        )
        for joint, old, new in zip((hip, knee), before, after):
            world[:, joint] = new @ old.swapaxes(-1, -2) @ motion.world[:, joint]
        world[:, ankle], world[:, toe] = ankle_turn @ motion.world[:, ankle], ankle_turn @ motion.world[:, toe]
    return replace(motion, pelvis=pelvis - pelvis.mean(0) * [1, 0, 1], world=world)
