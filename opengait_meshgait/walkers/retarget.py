"""Recorded motion on the body: every limb points where the recorded one did."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from opengait_meshgait.body.layout import JOINT_NAMES, NUM_JOINTS
from opengait_meshgait.walkers.bones import Foot, rotation_vectors, shortest_turns, turn
from opengait_meshgait.walkers.contact import ankle_ways, sole_ways
from opengait_meshgait.walkers.gait import FRAMES_PER_SECOND, Motion
from opengait_meshgait.walkers.recorded import RecordedMotion
from opengait_meshgait.walkers.stride import bend_toes

JOINT_NUMBERS = {name: number for number, name in enumerate(JOINT_NAMES)}
"""Which joint is which of the body's."""
_SPINE = [JOINT_NUMBERS[name] for name in ("spine1", "spine2", "spine3")]
_LIMBS = (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))
_UPRIGHT = np.cos(np.deg2rad(40))  # between the vertical and legs and trunk, of a skeleton that stands
_STANDING = 0.2  # m/s: slower than that is no walking, and has no direction
_GROUND = 10  # percentile of the frames' lowest points that is put on the ground


def retarget(recorded: RecordedMotion, joints: np.ndarray, feet: tuple[Foot, Foot], frames: int) -> Motion:
    """Let a body move as recorded, at 25 frames/s, straight ahead.

    A bone turns by the recorded rotation against the recorded skeleton's standing pose, so that it keeps its twist,
    once the shortest turn has brought it from the body's rest pose into that one. So thighs, shanks, upper and lower
    arms point exactly where the recorded ones did, whichever pose (T, A, hanging arms) the skeleton stands in. The way
    of the hips is scaled by the length of the legs. Recorded toes are not used, for motion capture hardly sees them:
    the body's bend up while the heel is up.

    A person who stays in place keeps the direction in which the hips face.

    Args:
        recorded: the motion.
        joints, feet, frames: as for :func:`~opengait_meshgait.walkers.gait.walk`; the recording must last so long.
    """
    # Not above: it takes a third of a second to load, and most walkers need no recording.
    from scipy.signal import hilbert

    at = recorded.skeleton.joints
    recorded = recorded.resampled(FRAMES_PER_SECOND)
    rotations, places = (array[:frames] for array in recorded.world())
    standing, rest = _standing_pose(recorded, rotations, places)
    left, up = rest[at["left_hip"]] - rest[at["right_hip"]], _up(rest, at)
    left = _unit(left - left @ up * up)
    axes = np.stack([left, up, np.cross(left, up)])
    turned = rotations @ standing.swapaxes(-1, -2) @ axes.T
    hips = (places[:, at["left_hip"]] + places[:, at["right_hip"]]) / 2
    ahead = turn("Y", -walking_direction(hips, turned[:, at["pelvis"]]))[0]
    turned, hips = ahead @ turned, hips @ ahead.T

    world = np.empty((len(turned), NUM_JOINTS, 3, 3))
    rest = rest @ axes.T
    _trunk(world, turned, recorded, joints, rest)
    for side in ("left", "right"):
        _limbs(world, turned, recorded, side, joints, rest)

    scale = leg_length(joints, JOINT_NUMBERS) / leg_length(rest, at)
    pelvis = scale * hips - world[:, 0] @ ((joints[1] + joints[2]) / 2 - joints[0])
    pelvis -= pelvis.mean(0) * [1, 0, 1]
    lowest = np.min([sole[..., 1].min(1) for sole in sole_ways(pelvis, world, joints, feet)], 0)
    pelvis[:, 1] -= np.percentile(lowest, _GROUND)
    ankles = ankle_ways(pelvis, world, joints)
    # A stride begins with the left heel's strike, where the left foot is furthest in front of the right one.
    apart = ankles[0][:, 2] - ankles[1][:, 2]
    phase = np.unwrap(np.angle(hilbert(apart - apart.mean()))) / (2 * np.pi)
    return Motion(phase, pelvis, world)


def _up(places: np.ndarray, at: dict[str, int]) -> np.ndarray:
    """The axis along which a pose [J, 3] stands."""
    shoulders, ankles = (places[[at[f"left_{name}"], at[f"right_{name}"]]].sum(0) for name in ("shoulder", "ankle"))
    body = shoulders - ankles
    axis = np.abs(body).argmax()
    return np.sign(body[axis]) * np.eye(3)[axis]


def _standing_pose(
    recorded: RecordedMotion, rotations: np.ndarray, places: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rotations [J, 3, 3] and places [J, 3] of the joints when the recorded person stands.

    That is the pose without rotations where its legs and trunk are upright; in files where it is no pose of a person
    at all, the frame in which they are most nearly.
    """
    at = recorded.skeleton.joints

    def straightness(places: np.ndarray, up: np.ndarray) -> np.ndarray:
        joints = {joint: places[:, number] for joint, number in at.items()}
        bones = [joints[f"{side}_{a}"] - joints[f"{side}_{b}"] for side in ("left", "right") for a, b in _LIMBS[:2]]
        trunk = joints["left_shoulder"] + joints["right_shoulder"] - joints["left_hip"] - joints["right_hip"]
        return (_unit(np.stack([*bones, trunk])) @ up).min(0)

    still = replace(recorded, rotations=np.tile(np.eye(3), (1, len(recorded.names), 1, 1)), root=np.zeros((1, 3)))
    turned, rest = still.world()
    if straightness(rest, _up(rest[0], at))[0] > _UPRIGHT:
        return turned[0], rest[0]
    frame = straightness(places, np.array([0.0, 1, 0])).argmax()
    return rotations[frame], places[frame]


def leg_length(places: np.ndarray, at: Mapping[str, int]) -> float:
    """From hip to ankle of a pose [J, 3], mean of both legs, m; ``at`` says which joint is which of the body's."""
    bones = [(f"{side}_{a}", f"{side}_{b}") for side in ("left", "right") for a, b in _LIMBS[:2]]
    return sum(float(np.linalg.norm(places[at[lower]] - places[at[upper]])) for upper, lower in bones) / 2


def walking_direction(hips: np.ndarray, pelvis: np.ndarray) -> float:
    """Direction of a way [T, 3] on the ground, from z to x, rad; that of the pelvis [T, 3, 3] if there is none."""
    time = (np.arange(len(hips)) - (len(hips) - 1) / 2) / FRAMES_PER_SECOND
    # The slope of the line that fits the way best: swaying hips do not matter to it.
    velocity = time @ hips / max(time @ time, 1e-9)
    if np.hypot(velocity[0], velocity[2]) < _STANDING:
        velocity = pelvis[..., 2].mean(0)
    return float(np.arctan2(velocity[0], velocity[2]))


def _trunk(
    world: np.ndarray, turned: np.ndarray, recorded: RecordedMotion, joints: np.ndarray, rest: np.ndarray
) -> None:
    """Pelvis, spine, neck and head, into ``world``; ``rest`` are the recorded joints in their standing pose.

    Bones of the body's spine turn like the recorded ones at the same height between pelvis and shoulders, so that
    the trunk leans as recorded however many joints either has.
    """
    at = recorded.skeleton.joints
    chain = (at["pelvis"], *recorded.skeleton.spine)
    own = _mid_heights(joints, [0, *_SPINE], [JOINT_NUMBERS["left_shoulder"], JOINT_NUMBERS["right_shoulder"]])
    theirs = _mid_heights(rest, chain, [at["left_shoulder"], at["right_shoulder"]])
    world[:, 0] = turned[:, chain[0]]
    for joint, place in zip(_SPINE, np.interp(own[1:], theirs, np.arange(len(chain)))):
        below = min(int(place), len(chain) - 2)
        world[:, joint] = _between(turned[:, chain[below]], turned[:, chain[below + 1]], place - below)
    chest = turned[:, chain[-1]]
    head = turned[:, at.get("head", at.get("neck", chain[-1]))]
    world[:, JOINT_NUMBERS["neck"]] = turned[:, at["neck"]] if "neck" in at else _between(chest, head, 0.5)
    world[:, JOINT_NUMBERS["head"]] = head


def _mid_heights(places: np.ndarray, chain: Sequence[int], shoulders: list[int]) -> np.ndarray:
    """Heights of the middles of a spine's bones, 0 at the pelvis, 1 at the shoulders, never falling."""
    heights = np.append(places[list(chain), 1], places[shoulders, 1].mean())
    heights = (heights - heights[0]) / (heights[-1] - heights[0])
    return np.maximum.accumulate((heights[:-1] + heights[1:]) / 2)


def _limbs(
    world: np.ndarray, turned: np.ndarray, recorded: RecordedMotion, side: str, joints: np.ndarray, rest: np.ndarray
) -> None:
    """Legs and arms of one side, into ``world``; ``rest`` are the recorded joints in their standing pose."""
    at = {name.removeprefix(f"{side}_"): joint for name, joint in recorded.skeleton.joints.items()}
    here = {
        name: JOINT_NUMBERS[f"{side}_{name}"]
        for name in ("hip", "knee", "ankle", "foot", "collar", "shoulder", "elbow", "wrist", "hand")
    }
    ends = at | {"wrist": at.get("wrist", recorded.parents.index(at["elbow"]))}
    for upper, lower in _LIMBS:
        bone = joints[here[lower]] - joints[here[upper]]
        brought = shortest_turns(bone, rest[ends[lower]] - rest[at[upper]])
        world[:, here[upper]] = turned[:, at[upper]] @ brought
        if upper == "knee":
            world[:, here["ankle"]] = _flatter(turned[:, at["ankle"]], turned[:, at["ankle"]] @ brought)
    # The hand is straight in both rest poses, so what brings the forearm brings it as well.
    world[:, here["wrist"]] = turned[:, at["wrist"]] @ brought if "wrist" in at else world[:, here["elbow"]]
    world[:, here["hand"]] = world[:, here["wrist"]]
    world[:, here["collar"]] = turned[:, at.get("collar", recorded.skeleton.spine[-1])]
    world[:, here["foot"]] = bend_toes(world[:, here["ankle"]])


def _flatter(*feet: np.ndarray) -> np.ndarray:
    """Of rotations [T, 3, 3] those that tilt the foot least to the side.

    A skeleton that stands with its legs apart has its feet flat on the ground, or in line with its shanks: files do not
    say which, but people walk on flat feet.
    """
    return min(feet, key=lambda foot: float(np.abs(foot[:, 1, 0]).mean()))


def _between(first: np.ndarray, second: np.ndarray, share: float) -> np.ndarray:
    """Rotations [T, 3, 3] on the shortest way from ``first`` (share 0) to ``second`` (share 1)."""
    way = rotation_vectors(first.swapaxes(-1, -2) @ second)
    return first @ Rotation.from_rotvec(share * way).as_matrix()


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
