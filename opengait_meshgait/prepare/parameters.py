"""The numbers of bodies in what a file holds, under whichever names."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from opengait_meshgait.body.layout import FRAME_SIZE, NUM_BETAS, NUM_JOINTS
from opengait_meshgait.common.errors import UserError, list_names


@dataclass(frozen=True, slots=True)
class BodyKeys:
    """Under which names a body file holds what; of several names the first that is there counts.

    Attributes:
        pose: axis-angle of 24 joints, 72 numbers, rad; or their rotation matrices.
        betas: 10 shape components or more, of which the first ten count.
        cam: weak-perspective camera, 3 numbers.
        joints: 24 joints, m, in SMPL's order; where there is no pose they are all that is known.
        cam_needed: whether a file without camera is refused; else its camera is 0.
    """

    pose: tuple[str, ...] = ("poses", "pose", "smpl_thetas", "thetas")
    betas: tuple[str, ...] = ("betas", "smpl_betas", "shape")
    cam: tuple[str, ...] = ("cam", "camera")
    joints: tuple[str, ...] = ("joints", "hc3d")
    cam_needed: bool = False


# Under which names the bodies of datasets that have some keep what. OUMVLP-Mesh documents its joints alone: the others
# are named by the user.
_KEYS = {
    "gait3d": BodyKeys(joints=(), cam_needed=True),
    "oumvlp": BodyKeys(pose=(), betas=(), cam=(), joints=("hc3d",)),
}


def keys_of(dataset: str, named: Mapping[str, str | None]) -> BodyKeys:
    """The names of a dataset, but for those that the user gives.

    Args:
        dataset: ``gait3d``, ``oumvlp`` or any other.
        named: a name, or None, for any of ``pose``, ``betas``, ``cam`` and ``joints``.

    Raises:
        UserError: a pose is named without its betas, where these are not known either.
    """
    given = {field: (name,) for field, name in named.items() if name is not None}
    usual = _KEYS.get(dataset, BodyKeys())
    keys = replace(usual, **given, cam_needed=usual.cam_needed or "cam" in given)
    if bool(keys.pose) != bool(keys.betas):
        raise UserError("A pose needs its shape, and a shape its pose: give both --pose-key and --betas-key.")
    return keys


def parse(content: Any, keys: BodyKeys) -> np.ndarray:
    """Frames from what a file holds.

    Args:
        content: a mapping of arrays, a list of such (one for each person: the first counts), or an array of frames.
        keys: the names in the mapping.

    Returns:
        float32 [m, 85] or, where there is no pose, joints float32 [m, 24, 3]; m is 0 where nobody was found.

    Raises:
        ValueError: what is wrong.
    """
    if isinstance(content, np.ndarray) and content.dtype == object:
        content = content.item() if content.ndim == 0 else list(content)
    if isinstance(content, list | tuple) and (not content or isinstance(content[0], Mapping)):
        if not content:
            return np.zeros((0, FRAME_SIZE), np.float32)
        content = content[0]
    frames = _from_mapping(content, keys) if isinstance(content, Mapping) else _from_array(content)
    if not np.isfinite(frames).all():
        raise ValueError(f"{np.size(frames) - np.isfinite(frames).sum()} of its numbers are not finite")
    return frames.astype(np.float32)


def _from_array(content: Any) -> np.ndarray:
    """Frames of 85 numbers, or joints, one or many."""
    array = np.asarray(content)
    if array.dtype.kind not in "iuf":
        raise ValueError(f"it holds a {type(content).__name__}, and no mapping or array of numbers")
    for shape in ((FRAME_SIZE,), (NUM_JOINTS, 3)):
        if array.shape[-len(shape) :] == shape and array.ndim <= len(shape) + 1:
            return array.reshape(-1, *shape)
    raise ValueError(f"it holds an array {list(array.shape)}; expected [85] or [T, 85], or joints [24, 3]")


def _from_mapping(content: Mapping[str, Any], keys: BodyKeys) -> np.ndarray:
    pose = _first(content, keys.pose)
    if pose is None and {"global_orient", "body_pose"} <= content.keys():
        parts = [np.asarray(content[key], float) for key in ("global_orient", "body_pose")]
        pose = "global_orient and body_pose", np.concatenate([part.reshape(-1, part.shape[-1]) for part in parts], 1)
    if pose is None:
        joints = _first(content, keys.joints)
        if joints is None:
            raise ValueError(
                f"no {' or '.join((*keys.pose, *keys.joints))} among its keys: {list_names(map(str, content))}. Name "
                "the pose by --pose-key (and --betas-key), or the joints by --joints-key"
            )
        return _shaped(*joints, (NUM_JOINTS, 3), "24 joints x 3")
    axis_angle = _as_axis_angle(*pose)
    betas, cam = _first(content, keys.betas), _first(content, keys.cam)
    if betas is None or (cam is None and keys.cam_needed):
        what, names = ("betas", keys.betas) if betas is None else ("camera", keys.cam)
        raise ValueError(f"no {what} ({' or '.join(names)}) among its keys: {list_names(map(str, content))}")
    shape = np.atleast_1d(np.asarray(betas[1], float))
    if shape.shape[-1] < NUM_BETAS:
        raise ValueError(f"{betas[0]} has {shape.shape[-1]} numbers; expected {NUM_BETAS}")
    camera = np.zeros(3) if cam is None else _shaped(*cam, (3,), "3")
    parts = camera, axis_angle, shape[..., :NUM_BETAS]
    return np.concatenate([np.broadcast_to(part, (len(axis_angle), part.shape[-1])) for part in parts], 1)


def _first(content: Mapping[str, Any], names: tuple[str, ...]) -> tuple[str, Any] | None:
    return next(((name, content[name]) for name in names if name in content), None)


def _shaped(name: str, value: Any, shape: tuple[int, ...], expected: str) -> np.ndarray:
    """[m, *shape] of one frame or many, each of ``shape`` or flat."""
    array = np.asarray(value, float)
    flat = int(np.prod(shape))
    if array.size == 0 or (array.shape[-len(shape) :] != shape and array.shape[-1:] != (flat,)):
        raise ValueError(f"{name} has {array.size} numbers, as {list(array.shape)}; expected {expected} for a frame")
    return array.reshape(-1, *shape)


def _as_axis_angle(name: str, pose: Any) -> np.ndarray:
    """Axis-angle [m, 72], also of rotation matrices [..., 24, 3, 3]."""
    array = np.asarray(pose, float)
    if array.shape[-2:] != (3, 3):
        parts = (NUM_JOINTS, 3) if array.shape[-2:] == (NUM_JOINTS, 3) else (3 * NUM_JOINTS,)
        return _shaped(name, array, parts, "72 = 24 joints x 3").reshape(-1, 3 * NUM_JOINTS)
    matrices = _shaped(name, array, (NUM_JOINTS, 3, 3), "24 matrices of 3 x 3").reshape(-1, 3, 3)
    return np.array([cv2.Rodrigues(matrix)[0].ravel() for matrix in matrices]).reshape(-1, 3 * NUM_JOINTS)
