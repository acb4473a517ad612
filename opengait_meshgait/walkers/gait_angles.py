"""Joint angles over the stride, as gait laboratories plot them."""

from collections.abc import Mapping

import numpy as np

from opengait_meshgait.body.layout import JOINT_NAMES
from opengait_meshgait.walkers.bones import matrices
from opengait_meshgait.walkers.gait_cycle import GAIT_JOINTS, WAVES, stride_waves
from opengait_meshgait.walkers.gait_model import WalkingModel

STRIDE = np.arange(101) / 100
"""Phases at which the angles are given: 0 and 1 are strikes of the left heel."""
# Joint, direction of its bone in the rest pose, where the bone points when the angle is 0 and when it is 90 degrees.
_ANGLES: Mapping[str, tuple[str, tuple[int, int, int], tuple[int, int, int], tuple[int, int, int]]] = {
    "hip flexion": ("left_hip", (0, -1, 0), (0, -1, 0), (0, 0, 1)),
    "knee flexion": ("left_knee", (0, -1, 0), (0, -1, 0), (0, 0, -1)),
    "ankle dorsiflexion": ("left_ankle", (0, 0, 1), (0, 0, 1), (0, 1, 0)),
    "pelvis rotation": ("pelvis", (1, 0, 0), (1, 0, 0), (0, 0, -1)),
    "shoulder flexion": ("left_shoulder", (1, 0, 0), (0, -1, 0), (0, 0, 1)),
    "elbow flexion": ("left_elbow", (1, 0, 0), (1, 0, 0), (0, 0, 1)),
}


def joint_angles(model: WalkingModel, vectors: np.ndarray) -> dict[str, np.ndarray]:
    """Of the left side against the parent joint, of the pelvis against the way, degrees.

    Args:
        model: whose gaits they are.
        vectors: gaits [N, D].

    Returns:
        For each angle [N, 101], at the phases :data:`STRIDE`.
    """
    coefficients = vectors[:, :-1].reshape(len(vectors), WAVES, len(GAIT_JOINTS), 3)
    away = np.einsum("tw,nwjc->ntjc", stride_waves(STRIDE), coefficients)
    turned = model.reference @ matrices(away)
    angles = {}
    for name, (joint, bone, zero, quarter) in _ANGLES.items():
        pointing = turned[:, :, GAIT_JOINTS.index(JOINT_NAMES.index(joint))] @ np.array(bone, float)
        angles[name] = np.rad2deg(np.arctan2(pointing @ np.array(quarter), pointing @ np.array(zero)))
    return angles
