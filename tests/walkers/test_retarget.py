from dataclasses import replace

import numpy as np
import pytest
import torch

from opengait_meshgait.body.layout import JOINT_NAMES
from opengait_meshgait.walkers.bones import rotation_vectors, turn
from opengait_meshgait.walkers.person import Person, WalkName
from opengait_meshgait.walkers.recorded import load_recording
from opengait_meshgait.walkers.sequence import make_scene

LIMBS = [
    (JOINT_NAMES.index(f"{side}_{upper}"), JOINT_NAMES.index(f"{side}_{lower}"))
    for side in ("left", "right")
    for upper, lower in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))
]


@pytest.fixture
def walk_again(tmp_path, body, write_npz):
    """The scene of a clip on the body of a person."""

    def walk(clip, number=1, frames=40):
        return make_scene(
            body,
            WalkName(number, "nm", 1),
            frames,
            seed=0,
            recorded=load_recording(write_npz(tmp_path / "walk.npz", clip)),
        )

    return walk


def angles(first, second):
    """Between the limbs of two scenes, degrees, [T, limbs]."""
    bones = [np.stack([scene.joints[:, b] - scene.joints[:, a] for a, b in LIMBS], 1) for scene in (first, second)]
    bones = [bone / np.linalg.norm(bone, axis=-1, keepdims=True) for bone in bones]
    return np.rad2deg(2 * np.arcsin(np.clip(np.linalg.norm(bones[0] - bones[1], axis=-1) / 2, 0, 1)))


def turns(first, second):
    """Between the joints' world rotations of two scenes, degrees, [T, 24]."""
    return np.rad2deg(
        np.linalg.norm(rotation_vectors(first.motion.world.swapaxes(-1, -2) @ second.motion.world), axis=-1)
    )


def test_a_body_repeats_its_own_walk(walk_again, clip, walked):
    again = walk_again(clip)
    # The way of 40 frames is not a whole number of strides, so its direction is not quite that of the walk.
    assert angles(again, walked).max() < 2
    assert np.delete(turns(again, walked), [10, 11], 1).max() < 2.5  # but for the toes, which are not as recorded
    middle = walked.motion.pelvis.mean(0) * [1, 0, 1]
    np.testing.assert_allclose(again.motion.pelvis, walked.motion.pelvis - middle, atol=0.04)


@pytest.mark.parametrize("number", [2, 7, 12])
def test_limbs_of_another_body_point_the_same_way(walk_again, clip, walked, number):
    own, other = walk_again(clip), walk_again(clip, number)
    assert angles(own, other).max() < 0.01
    assert np.ptp(other.skin[0, :, 1]) != pytest.approx(np.ptp(own.skin[0, :, 1]), abs=0.01)


def test_the_way_is_scaled_by_the_legs(walk_again, clip, body):
    def leg(number):
        betas = torch.from_numpy(Person.draw(0, number).betas).float()
        joints = body.joints(torch.zeros(72), betas).numpy()
        return sum(np.linalg.norm(joints[b] - joints[a]) for a, b in ((1, 4), (4, 7)))

    ways = [np.ptp(walk_again(clip, number).motion.pelvis[:, 2]) for number in (1, 7)]
    assert ways[1] / ways[0] == pytest.approx(leg(7) / leg(1), rel=0.01)


def poses(pose):
    """World rotations from a T-pose to other poses without rotations."""
    brought = np.tile(np.eye(3), (24, 1, 1))
    for side, joints in ((1, [16, 18, 20, 22]), (-1, [17, 19, 21, 23])):
        if pose in ("A", "hanging"):
            brought[joints] = turn("Z", -side * np.deg2rad({"A": 45, "hanging": 85}[pose]))[0]
    return {"turned": turn("Y", 2.0)[0], "z up": turn("X", np.pi / 2)[0]}.get(pose, np.eye(3)) @ brought


@pytest.mark.parametrize("pose", ["A", "hanging", "turned", "z up"])
def test_the_pose_without_rotations_does_not_matter(walk_again, another_rest, clip, pose):
    brought = poses(pose)
    changed = another_rest(clip, brought)
    expected, got = walk_again(clip), walk_again(changed)
    assert angles(expected, got).max() < 0.01
    assert turns(expected, got).max() < 2  # twist: arms are not lowered about quite the axis of the shortest turn
    np.testing.assert_allclose(got.motion.pelvis, expected.motion.pelvis, atol=1e-4)


def test_a_pose_without_rotations_that_is_none_of_a_person(walk_again, another_rest, clip):
    """As in files where every bone lies along x unless it is turned: a frame of the walk stands in."""
    parents, offsets = clip["parents"], clip["offsets"]
    brought = np.tile(np.eye(3), (24, 1, 1))
    for joint in range(24):
        children = np.flatnonzero(parents == joint)
        bone = offsets[children[0]] if len(children) == 1 else np.array([1.0, 0, 0])
        bone = bone / np.linalg.norm(bone)
        across = np.cross(bone, [0, 0, 1])
        across /= np.linalg.norm(across)
        brought[joint] = np.stack([bone, across, np.cross(bone, across)])
    expected, got = walk_again(clip), walk_again(another_rest(clip, brought))
    assert angles(expected, got).max() < 0.01
    # Twist, trunk and feet are against that frame's, in which a walker stands not quite like a T-pose.
    assert np.delete(turns(expected, got), [16, 17, 18, 19, 20, 21, 22, 23], 1).max() < 30


@pytest.mark.parametrize("yaw", [0.7, np.pi, -2.0])
def test_everyone_walks_straight_ahead(walk_again, clip, yaw):
    around = turn("Y", yaw)[0]
    local = clip["local_rot"].copy()
    local[:, 0] = around @ local[:, 0]
    got = walk_again(clip | {"local_rot": local, "root": clip["root"] @ around.T + [3, 1, -5]})
    expected = walk_again(clip)
    np.testing.assert_allclose(got.joints, expected.joints, atol=1e-4)
    steps = np.diff(got.motion.pelvis[:, 2])
    assert steps.min() > 0 and got.motion.pelvis[:, [0, 2]].mean(0) == pytest.approx([0, 0], abs=1e-9)
    assert np.abs(got.motion.pelvis[:, 0]).max() < 0.1


@pytest.mark.parametrize("yaw", [0.0, 2.5])
def test_who_stands_keeps_facing_ahead(walk_again, clip, yaw):
    around = turn("Y", yaw)[0]
    local = clip["local_rot"].copy()
    local[:, 0] = around @ local[:, 0]
    standing = walk_again(clip | {"local_rot": local, "root": clip["root"] * [0, 1, 0]})
    assert np.abs(standing.motion.world[:, 0, 0, 2]).max() < 0.3 and standing.motion.world[:, 0, 2, 2].min() > 0.9
    assert np.abs(standing.motion.pelvis[:, 2]).max() < 0.05


def test_feet_are_on_the_ground(walk_again, clip):
    for number in (1, 7):
        lowest = walk_again(clip, number).surface[..., 1].min((1,))
        assert lowest.min() > -0.015 and np.median(lowest) < 0.02 and lowest.max() < 0.04


def test_turns_are_steady_and_the_phase_that_of_the_stride(walk_again, clip, walked, body):
    again = walk_again(clip)
    local = again.motion.local(body.parents)
    steps = rotation_vectors(local[:-1].swapaxes(-1, -2) @ local[1:])
    assert np.rad2deg(np.linalg.norm(steps, axis=-1)).max() < 30
    apart = (again.motion.phase - walked.motion.phase)[5:-5]
    assert np.abs(apart - np.round(apart.mean())).max() < 0.12


def test_fewer_frames_are_the_first(walk_again, clip):
    short = walk_again(clip, frames=15)
    assert len(short.joints) == len(short.pose) == 15
    assert angles(replace(walk_again(clip), joints=walk_again(clip).joints[:15]), short).max() < 5


def test_a_skeleton_without_hands_collars_neck_and_head(walk_again, clip):
    keep = [joint for joint, name in enumerate(clip["names"]) if not name.startswith(("Neck", "Head"))]
    lacking = [name for name in clip["names"] if "Shoulder" in name or "Hand" in name]
    names = np.array([f"Bone{index}" if name in lacking else name for index, name in enumerate(clip["names"])])
    parents = np.array([keep.index(parent) if parent >= 0 else -1 for parent in clip["parents"][keep]])
    bare = clip | {"names": names[keep], "parents": parents, "offsets": clip["offsets"][keep]}
    got = walk_again(bare | {"local_rot": clip["local_rot"][:, keep]})
    assert angles(walk_again(clip), got).max() < 0.01
