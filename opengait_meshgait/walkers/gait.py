"""A walk: the rotations of all bones and the way of the pelvis, frame by frame."""

from dataclasses import dataclass, replace

import numpy as np

from opengait_meshgait.body.layout import NUM_JOINTS
from opengait_meshgait.walkers.bones import Foot, reach_ankle, share, turn
from opengait_meshgait.walkers.stride import LEG_JOINTS, SIDES, at, leg_phase, make_stride, pelvis_rotation, pelvis_sway
from opengait_meshgait.walkers.style import GaitStyle

FRAMES_PER_SECOND = 25
_ARM_JOINTS = {1: (13, 16, 18, 20, 22), -1: (14, 17, 19, 21, 23)}  # collar, shoulder, elbow, wrist, hand


@dataclass(frozen=True)
class Burden:
    """What a load or a coat does to a walker's posture; pairs are left, right.

    Attributes:
        lean: of the trunk, degrees, added.
        arm_swing: factors; arm_out: degrees, added.
    """

    lean: float = 0.0
    arm_swing: tuple[float, float] = (1.0, 1.0)
    arm_out: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Motion:
    """A walk straight ahead, in the world: x left, y up from the ground, z forward.

    Attributes:
        phase: of each frame, strides, [T].
        pelvis: the pelvis joint, m, [T, 3]; the middle of the way is at z = 0.
        world: rotations of the joints against the rest pose, [T, 24, 3, 3].
    """

    phase: np.ndarray
    pelvis: np.ndarray
    world: np.ndarray

    def local(self, parents: tuple[int, ...]) -> np.ndarray:
        """Rotations of the joints against their parents, [T, 24, 3, 3]."""
        rotations = self.world.copy()
        rotations[:, 1:] = self.world[:, parents[1:]].swapaxes(-1, -2) @ self.world[:, 1:]
        return rotations

    def turned(self, turns: np.ndarray, parents: tuple[int, ...]) -> "Motion":
        """With each joint turned further against its parent, by rotations [T, 24, 3, 3]."""
        world = self.local(parents) @ turns
        for joint, parent in enumerate(parents[1:], start=1):
            world[:, joint] = world[:, parent] @ world[:, joint]
        return replace(self, world=world)


def walk(
    style: GaitStyle,
    joints: np.ndarray,
    feet: tuple[Foot, Foot],
    frames: int,
    rng: np.random.Generator,
    burden: Burden | None = None,
) -> Motion:
    """Walk ``frames`` frames of 1/25 s.

    Args:
        style: of this walk.
        joints: of the body in the rest pose, m, [24, 3].
        feet: left and right.
        frames: T.
        rng: draws where in the stride the walk begins and how the beat wavers.
        burden: what is carried or worn.
    """
    stride = make_stride(style, joints, feet)
    time = np.arange(frames) / FRAMES_PER_SECOND
    waver = rng.normal(0, 0.004) * np.sin(2 * np.pi * (time / 3 + rng.random()))
    phase = rng.random() + time / stride.duration + waver

    # The pelvis advances with the phase, so a wavering beat does not make planted feet slide.
    way = stride.length * (phase - phase.mean())
    pelvis = np.stack([pelvis_sway(style, phase), at(stride.height, phase), way], -1)
    world = np.tile(np.eye(3), (frames, NUM_JOINTS, 1, 1))
    world[:, 0] = pelvis_rotation(style, phase)
    for index, side in enumerate(SIDES):
        hip, knee, ankle, toe = LEG_JOINTS[side]
        pitch, flexion = at(stride.pitch[index], phase), at(stride.flexion[index], phase)
        yaw = side * np.deg2rad(style.toe_out)
        world[:, hip], world[:, knee] = reach_ankle(
            pelvis + world[:, 0] @ (joints[hip] - joints[0]),
            at(stride.ankle[index], phase) + [0, 0, 1] * way[:, None],
            joints[knee] - joints[hip],
            joints[ankle] - joints[knee],
            forward=np.broadcast_to([np.sin(yaw / 2), 0, np.cos(yaw / 2)], pelvis.shape),
        )
        world[:, ankle], world[:, toe] = turn("YX", yaw, -pitch), turn("YX", yaw, -pitch - flexion)
    _upper_body(world, style, phase, burden or Burden())
    return Motion(phase, pelvis, world)


def _upper_body(world: np.ndarray, style: GaitStyle, phase: np.ndarray, burden: Burden) -> None:
    """Trunk, head and arms, into ``world``."""
    cycle = 2 * np.pi * phase
    yaw = np.deg2rad(style.trunk_yaw) * np.cos(cycle)
    roll = -np.deg2rad(style.trunk_roll) * np.sin(cycle - 0.3)
    lean = np.deg2rad(style.lean + burden.lean + 0.8 * np.cos(2 * cycle))
    bend = share(world[:, 0].swapaxes(-1, -2) @ turn("YZX", yaw, roll, lean), 3)
    slouch = np.deg2rad(style.slouch)
    for joint, parent, curve in ((3, 0, -0.3), (6, 3, 0.4), (9, 6, 0.6)):
        world[:, joint] = world[:, parent] @ bend @ turn("X", curve * slouch)
    chest = world[:, 9]
    nod = share(chest.swapaxes(-1, -2) @ turn("YX", 0.15 * yaw, np.deg2rad(style.head)), 2)
    world[:, 12] = chest @ nod
    world[:, 15] = world[:, 12] @ nod

    for index, side in enumerate(SIDES):
        collar, shoulder, elbow, wrist, hand = _ARM_JOINTS[side]
        # An arm is back when the heel of its own side strikes.
        forth = -np.cos(2 * np.pi * (leg_phase(style, side, phase) + style.arm_lag))
        forth *= (1 + side * style.arm_uneven) * burden.arm_swing[index]
        swing = np.deg2rad(style.arm_mean + style.arm_swing * forth)
        flexion = np.deg2rad(np.maximum(style.elbow + style.elbow_swing * forth, 2.0))
        down = np.deg2rad(90 - style.arm_out - burden.arm_out[index])
        lift = np.deg2rad(style.shoulders)
        world[:, collar] = chest @ turn("Z", side * lift)
        world[:, shoulder] = chest @ turn("XZX", -swing, -side * down, np.deg2rad(style.arm_twist))
        world[:, elbow] = world[:, shoulder] @ turn("Y", -side * flexion)
        world[:, wrist] = world[:, hand] = world[:, elbow]
