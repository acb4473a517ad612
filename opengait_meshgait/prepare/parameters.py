"""The numbers of bodies under whichever names and in whichever form of rotations: 85 a frame, or joints alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from opengait_meshgait.body.layout import BETAS, CAM, FRAME_SIZE, NUM_BETAS, NUM_JOINTS, POSE
from opengait_meshgait.body.mhr import MHR_JOINTS, mhr_to_smpl
from opengait_meshgait.common.errors import list_names

_BODY_JOINTS = 22  # that SMPL, SMPL+H and SMPL-X share, in this order; SMPL's last two are the hands


@dataclass(frozen=True, slots=True)
class BodyKeys:
    """Under which names a mapping holds what; of several names the first that is there counts.

    Attributes:
        pose: rotations of the joints, axis-angle (rad) or matrices, one body or many.
        betas: 10 shape components or more, of which the first ten count.
        cam: weak-perspective camera, 3 numbers.
        joints: m; where there is no pose they are all that is known. 24 are SMPL's, 127 are MHR's.
        root: the root's rotation, where ``pose`` lacks it.
        counts: of joints that may have rotations, with the root: 24 of SMPL, 52 of SMPL+H, 22 (without hands and face)
            or 55 of SMPL-X; where there are only joints, how many.
        cam_needed: whether bodies without camera are refused; else their camera is 0.
    """

    pose: tuple[str, ...] = ()
    betas: tuple[str, ...] = ()
    cam: tuple[str, ...] = ()
    joints: tuple[str, ...] = ()
    root: str = ""
    counts: tuple[int, ...] = (NUM_JOINTS,)
    cam_needed: bool = False

    def used(self, content: Mapping) -> list[str]:
        """The names of these that ``content`` has, as they are read."""
        pose = _first(content, self.pose)
        others = (self.betas, self.cam) if pose else (self.joints,)
        return [name for name in (pose and self.root, pose, *(_first(content, names) for names in others)) if name]

    def found_in(self, content: Mapping) -> bool:
        """Whether there is a pose or joints."""
        return bool(self.used(content)) and (self.root in content or not self.root)

    def fit(self, content: Mapping) -> bool:
        """Whether there is also the right number of joints."""
        return self.found_in(content) and self._count(content) in (0, *self.counts)

    def shape_space(self, content: Mapping) -> str | None:
        """Whose betas there are: ``SMPL`` (SMPL+H has the same) or ``SMPL-X``; None of joints alone."""
        if _first(content, self.pose) is None:
            return None
        return "SMPL" if self._count(content) in (0, 24, 52) else "SMPL-X"

    def _count(self, content: Mapping) -> int:
        """Joints of the pose with the root, or without rotations; 0 of nobody, -1 of no array of numbers."""
        name = _first(content, (*self.pose, *self.joints))
        try:
            array = np.asarray(content[name], float)
        except (ValueError, TypeError):
            return -1
        return _count_joints(array) + bool(self.root) if array.size else 0


def read_parameters(content: Mapping, keys: BodyKeys, shape_space: str) -> np.ndarray:
    """Bodies from a mapping of arrays.

    SMPL-X's joints become SMPL's: the first 22 are the same, and the hands get no rotation. Betas of another shape
    space than the body's become 0.

    Args:
        content: one body or many.
        keys: the names in the mapping.
        shape_space: of the body to pose, ``SMPL`` or ``SMPL-X``.

    Returns:
        float64 [m, 85] or, where there is no pose, joints [m, 24, 3]; m is 0 where nobody was found.

    Raises:
        ValueError: what is wrong.
    """
    name = _first(content, keys.pose)
    if name is None:
        name = _first(content, keys.joints)
        if name is None:
            raise ValueError(f"no {' or '.join((*keys.pose, *keys.joints))} among its keys: {_names(content)}")
        return _joints(name, content[name], keys.counts)
    pose = _numbers(name, content[name])
    if pose.size == 0:
        return np.zeros((0, FRAME_SIZE))
    count = _count_joints(pose) + bool(keys.root)
    if count not in keys.counts:
        each = [number - bool(keys.root) for number in keys.counts]
        wanted = " or ".join(f"{3 * number} = {number} joints x 3, or {number} matrices of 3 x 3," for number in each)
        raise ValueError(f"{name} has {pose.size} numbers, as {list(pose.shape)}; expected {wanted} for a frame")
    is_matrix = pose.ndim > 2 and pose.shape[-2:] == (3, 3)
    turns = _axis_angle(name, pose, count - bool(keys.root), is_matrix)
    if keys.root:
        root = _axis_angle(keys.root, _numbers(keys.root, content[keys.root]), 1, is_matrix)
        if len(root) != len(turns):
            raise ValueError(f"{keys.root} is of {len(root)} bodies and {name} of {len(turns)}")
        turns = np.concatenate([root, turns], 1)
    if count != NUM_JOINTS:
        turns = np.pad(turns[:, :_BODY_JOINTS], ((0, 0), (0, NUM_JOINTS - _BODY_JOINTS), (0, 0)))
    betas = _betas(content, keys)
    if keys.shape_space(content) != shape_space:
        betas = np.zeros((1, NUM_BETAS))
    camera = _camera(content, keys)
    rows = np.empty((len(turns), FRAME_SIZE))
    try:
        rows[:, CAM], rows[:, POSE], rows[:, BETAS] = camera, turns.reshape(len(turns), -1), betas
    except ValueError as error:
        raise ValueError(f"cameras, poses and betas are of {len(camera)}, {len(turns)}, {len(betas)} bodies") from error
    return rows


def read_array(content: Any) -> np.ndarray:
    """Frames of 85 numbers, or joints, one or many, of an array: float64 [m, 85] or [m, 24, 3].

    Raises:
        ValueError: it is something else.
    """
    array = np.asarray(content)
    if array.dtype.kind not in "iuf":
        raise ValueError(f"it holds a {type(content).__name__}, and no mapping or array of numbers")
    for shape in ((FRAME_SIZE,), (NUM_JOINTS, 3)):
        if array.shape[-len(shape) :] == shape and array.ndim <= len(shape) + 1:
            return array.reshape(-1, *shape).astype(float)
    raise ValueError(f"it holds an array {list(array.shape)}; expected [85] or [T, 85], or joints [24, 3]")


def _first(content: Mapping, names: tuple[str, ...]) -> str | None:
    for name in names:  # a generator would take three times as long, and there are millions of files
        if name in content:
            return name
    return None


def _names(content: Mapping) -> str:
    return list_names(map(str, content))


def _numbers(name: str, value: Any) -> np.ndarray:
    try:
        return np.asarray(value, float)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{name} is no array of numbers: {error}") from error


def _count_joints(array: np.ndarray) -> int:
    """Of rotations [..., J, 3, 3], [..., J, 3] or [..., 3 J]."""
    if array.ndim > 2 and array.shape[-2:] == (3, 3):
        return array.shape[-3]
    if array.ndim > 1 and array.shape[-1] == 3:
        return array.shape[-2]
    return array.shape[-1] // 3 if array.ndim and array.shape[-1] % 3 == 0 else -1


def _axis_angle(name: str, turns: np.ndarray, joints: int, is_matrix: bool) -> np.ndarray:
    """Rotations of so many joints as axis-angle, [m, joints, 3]; of a matrix of zeros or of NaN they are that too."""
    size = 9 * joints if is_matrix else 3 * joints
    if turns.size % size:
        raise ValueError(f"{name} has {turns.size} numbers, as {list(turns.shape)}; expected {size} for a frame")
    if not is_matrix:
        return turns.reshape(-1, joints, 3)
    matrices = turns.reshape(-1, 3, 3)
    result = np.where(np.isfinite(matrices).all((1, 2)), 0.0, np.nan)[:, None].repeat(3, 1)
    known = np.isfinite(matrices).all((1, 2)) & matrices.any((1, 2))
    error = np.abs(matrices[known] @ matrices[known].swapaxes(1, 2) - np.eye(3)).max(initial=0)
    if error > 0.1 or (np.linalg.det(matrices[known]) < 0).any():
        raise ValueError(f"{name} holds matrices of 3 x 3 that are no rotations")
    if known.any():
        # Not above: it takes a quarter of a second to load, and most trackers write no matrices.
        from scipy.spatial.transform import Rotation

        result[known] = Rotation.from_matrix(matrices[known]).as_rotvec()
    return result.reshape(-1, joints, 3)


def _betas(content: Mapping, keys: BodyKeys) -> np.ndarray:
    name = _first(content, keys.betas)
    if name is None:
        raise ValueError(f"no betas ({' or '.join(keys.betas)}) among its keys: {_names(content)}")
    betas = np.atleast_1d(_numbers(name, content[name]))
    if betas.shape[-1] < NUM_BETAS:
        raise ValueError(f"{name} has {betas.shape[-1]} numbers; expected {NUM_BETAS}")
    return betas.reshape(-1, betas.shape[-1])[:, :NUM_BETAS]


def _camera(content: Mapping, keys: BodyKeys) -> np.ndarray:
    name = _first(content, keys.cam)
    if name is None:
        if keys.cam_needed:
            raise ValueError(f"no camera ({' or '.join(keys.cam)}) among its keys: {_names(content)}")
        return np.zeros((1, 3))
    camera = _numbers(name, content[name])
    if camera.size == 0 or camera.shape[-1] != 3:
        raise ValueError(f"{name} has {camera.size} numbers, as {list(camera.shape)}; expected 3 for a frame")
    return camera.reshape(-1, 3)


def _joints(name: str, value: Any, counts: tuple[int, ...]) -> np.ndarray:
    """Joints [m, 24, 3], of SMPL or of MHR's 127."""
    array = _numbers(name, value)
    if array.size == 0:
        return np.zeros((0, NUM_JOINTS, 3))
    count = _count_joints(array)
    if count not in counts:
        wanted = " or ".join(f"{number} joints x 3" for number in counts)
        raise ValueError(f"{name} has {array.size} numbers, as {list(array.shape)}; expected {wanted} for a frame")
    joints = array.reshape(-1, count, 3)
    return mhr_to_smpl(joints) if count == MHR_JOINTS else joints
