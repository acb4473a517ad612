"""SMPL's numbers: its 24 joints, and the 85 of a frame. Needs no torch."""

from typing import Any

# fmt: off
JOINT_NAMES = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle", "right_ankle",
    "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head", "left_shoulder",
    "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hand", "right_hand",
)
JOINT_FLIP = (0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 14, 13, 15, 17, 16, 19, 18, 21, 20, 23, 22)
"""For each joint the one on the other side of the body."""
# fmt: on
NUM_JOINTS = len(JOINT_NAMES)
NUM_BETAS = 10

CAM, POSE, BETAS = slice(0, 3), slice(3, 75), slice(75, 85)
"""A frame: weak-perspective camera (s, tx, ty), axis-angle of the joints (rad, the root first), shape."""
ROOT_TURN = slice(3, 6)
FRAME_SIZE = 85

_HEAD, _FEET = JOINT_NAMES.index("head"), [JOINT_NAMES.index("left_foot"), JOINT_NAMES.index("right_foot")]


def head_below_feet(joints: Any) -> Any:
    """Which bodies are upside down, bool [m], of joints in camera orientation, array or tensor [m, 24, 3]."""
    return joints[:, _HEAD, 1] > joints[:, _FEET, 1].mean(1)
