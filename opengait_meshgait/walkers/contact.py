"""Where the pelvis is when the rotations of all joints are known: the feet stand on the ground and do not slip."""

import numpy as np
from scipy.ndimage import gaussian_filter1d, maximum_filter1d
from scipy.spatial.transform import Rotation
from scipy.special import softmax

from opengait_meshgait.walkers.bones import Foot, shortest_turns
from opengait_meshgait.walkers.gait import FRAMES_PER_SECOND
from opengait_meshgait.walkers.stride import LEG_JOINTS, SIDES

_SKIN = 0.004  # m; skin so little above a foot's lowest point touches the ground with it
# Of two feet the one bears weight that is lower and goes back faster under the pelvis; the other one swings. By how
# much before it bears e times as much:
_HEIGHT, _SPEED = 0.015, 0.25  # m, m/s
_SMOOTH = 0.8  # frames; a kink at the hand-over of no more than a frame disappears


def ankle_ways(pelvis: np.ndarray, world: np.ndarray, joints: np.ndarray) -> list[np.ndarray]:
    """Where the ankles are, left and right, m, [T, 3] each; for the arguments see :func:`stand_on_ground`."""
    ankles = []
    for side in SIDES:
        place, above = pelvis, 0
        for joint in LEG_JOINTS[side][:3]:
            place = place + world[:, above] @ (joints[joint] - joints[above])
            above = joint
        ankles.append(place)
    return ankles


def sole_ways(pelvis: np.ndarray, world: np.ndarray, joints: np.ndarray, feet: tuple[Foot, Foot]) -> list[np.ndarray]:
    """Where the skin of the feet is, left and right, m, [T, P, 3] each; see :func:`stand_on_ground`."""
    return [
        ankle[:, None] + foot.turned(world[:, LEG_JOINTS[side][2]], world[:, LEG_JOINTS[side][3]])
        for side, foot, ankle in zip(SIDES, feet, ankle_ways(pelvis, world, joints))
    ]


def stand_on_ground(world: np.ndarray, joints: np.ndarray, feet: tuple[Foot, Foot]) -> np.ndarray:
    """The way of the pelvis, m, [T, 3], from (0, height, 0).

    Args:
        world: rotations of the joints against the rest pose, [T, 24, 3, 3].
        joints: in the rest pose, m, [24, 3].
        feet: left and right.
    """
    soles = sole_ways(np.zeros((len(world), 3)), world, joints, feet)
    lowest = np.stack([sole[..., 1].min(1) for sole in soles])
    steps = np.stack([_step(sole, low) for sole, low in zip(soles, lowest)])
    bearing = softmax(-lowest / _HEIGHT - steps[..., 2] * FRAMES_PER_SECOND / _SPEED, axis=0)
    step = -_smooth((bearing[..., None] * steps).sum(0))
    way = step.cumsum(0) - step[0]
    way[:, 1] = _smooth(-(bearing * lowest).sum(0))
    return way


def lift_feet(pelvis: np.ndarray, world: np.ndarray, joints: np.ndarray, feet: tuple[Foot, Foot]) -> np.ndarray:
    """The rotations ``world`` with knees bent further where a foot would sink into the ground.

    Args:
        pelvis: its way above the ground, m, [T, 3].
        world, joints, feet: as for :func:`stand_on_ground`.
    """
    lifted = world.copy()
    for side, sole, ankle in zip(SIDES, sole_ways(pelvis, world, joints, feet), ankle_ways(pelvis, world, joints)):
        hip, knee, foot, _ = LEG_JOINTS[side]
        sunk = np.maximum(-sole[..., 1].min(1), 0)
        hip_place = pelvis + world[:, 0] @ (joints[hip] - joints[0])
        lift = _smooth(maximum_filter1d(sunk, 3))  # no less at the deepest
        wanted = ankle + lift[:, None] * [0, 1, 0] - hip_place
        thigh, shank = world[:, hip] @ (joints[knee] - joints[hip]), world[:, knee] @ (joints[foot] - joints[knee])
        bend = _knee_angle(thigh, shank, thigh + shank) - _knee_angle(thigh, shank, wanted)
        bent = Rotation.from_rotvec(bend[:, None] * world[:, hip, :, 0]).as_matrix()
        reached = thigh + (bent @ shank[..., None])[..., 0]
        turned = shortest_turns(reached, wanted)
        lifted[:, hip] = turned @ world[:, hip]
        lifted[:, knee] = turned @ bent @ world[:, knee]
    return lifted


def _knee_angle(thigh: np.ndarray, shank: np.ndarray, apart: np.ndarray) -> np.ndarray:
    """Between two bones [T, 3] whose ends are ``apart`` [T, 3], rad, [T]: pi where they are in line."""
    upper, lower, line = (np.linalg.norm(bone, axis=-1) for bone in (thigh, shank, apart))
    return np.arccos(np.clip((upper**2 + lower**2 - line**2) / (2 * upper * lower), -1, 1))


def _step(sole: np.ndarray, lowest: np.ndarray) -> np.ndarray:
    """How far the touching skin of a foot moves from one frame to the next, [T, 3]; the first as the second."""
    touching = np.exp((lowest[:, None] - sole[..., 1]) / _SKIN)
    touching = touching[:-1] * touching[1:]  # before and after the step
    step = np.einsum("tp,tpc->tc", touching, np.diff(sole, axis=0)) / touching.sum(1)[:, None]
    return np.concatenate([step[:1], step]) if len(step) else np.zeros((len(sole), 3))


def _smooth(values: np.ndarray) -> np.ndarray:
    return gaussian_filter1d(values, _SMOOTH, axis=0, mode="nearest")
