"""Recorded motion as rotations of SMPL's joints: AMASS's archives, and the ``.smpl`` of smplcodec."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from opengait_meshgait.body.files import load_body
from opengait_meshgait.body.layout import JOINT_NAMES
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.npz import read_npz

# Rotations, the way of the root (m), frames/s: AMASS renamed the last.
_KEYS = (("poses", "bodyPose"), ("trans", "bodyTranslation"), ("mocap_framerate", "mocap_frame_rate", "frameRate"))
_JOINTS = 22  # that SMPL, SMPL+H and SMPL-X share


def holds_smpl_motion(names: Mapping[str, Any]) -> bool:
    """Whether an archive of these entries is of this kind."""
    return any(name in names for name in _KEYS[0])


def read_smpl_motion(path: Path) -> dict[str, Any]:
    """The fields of a :class:`~opengait_meshgait.walkers.recorded.RecordedMotion`, on the stand-in's skeleton.

    Raises:
        UserError: the file cannot be read, or its arrays are missing or misshapen.
    """
    expected = (
        "A recording of SMPL's joints has poses [T, 156 or 165] or bodyPose [T, 22 or 24, 3], trans or bodyTranslation "
        "[T, 3], and mocap_framerate or frameRate"
    )
    try:
        arrays = read_npz(path, [name for names in _KEYS for name in names])
    except ValueError as error:
        raise UserError(f"Cannot read {path}: {error}. {expected}.") from error
    found = [next((name for name in names if name in arrays), None) for names in _KEYS]
    if None in found:
        raise UserError(f"{path} holds {', '.join(arrays) or 'nothing'}. {expected}.")
    poses, root, fps = (arrays[name] for name in found)
    frames = len(poses) if poses.ndim > 1 else 0
    turns = poses.reshape(frames, -1, 3) if frames and poses[0].size % 3 == 0 else poses
    if turns.ndim != 3 or turns.shape[1] < _JOINTS or root.shape != (frames, 3) or fps.size != 1:
        shapes = ", ".join(f"{name} {list(arrays[name].shape)}" for name in found)
        raise UserError(f"{path} holds {shapes}. {expected}.")
    if not (np.isfinite(turns).all() and np.isfinite(root).all()) or not 0 < fps.item() < np.inf:
        raise UserError(f"{path}: poses, way or frame rate have NaN, infinity or 0. Export the motion again.")
    body = load_body()
    rest = body.joint_template[:_JOINTS].double().numpy()
    parents = body.parents[:_JOINTS]
    offsets = np.array([rest[joint] - rest[parent] if joint else np.zeros(3) for joint, parent in enumerate(parents)])
    rotations = Rotation.from_rotvec(turns[:, :_JOINTS].reshape(-1, 3).astype(float)).as_matrix()
    return {
        "names": JOINT_NAMES[:_JOINTS],
        "parents": parents,
        "offsets": offsets,
        "rotations": rotations.reshape(frames, _JOINTS, 3, 3),
        "root": root.astype(float),
        "fps": float(fps.item()),
    }
