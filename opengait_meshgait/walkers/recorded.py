"""Recorded motion: what is read from a BVH file, an AMC or an .npz, in metres."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.npz import read_npz
from opengait_meshgait.walkers.acclaim import read_amc
from opengait_meshgait.walkers.bones import turn
from opengait_meshgait.walkers.bvh import JointMotion, read_bvh
from opengait_meshgait.walkers.skeleton import Skeleton, find_joints
from opengait_meshgait.walkers.smpl_motion import holds_smpl_motion, read_smpl_motion

_NPZ_KEYS = ("names", "parents", "offsets", "local_rot", "root", "fps")
_LEG = 0.85  # m
_FASTEST = 720.0  # degrees/s; a walker's knees and elbows stay below 500


@dataclass(frozen=True)
class RecordedMotion:
    """How a person moved, in a world with y up.

    Attributes:
        name: of the recording: the file's, without its ending.
        person: who it is: the ``subject`` of an .npz, or the name up to its first ``_``.
        names: of the joints, parents before children; the first is the root.
        parents: for each joint its parent's index, -1 for the root.
        offsets: of each joint from its parent in the pose without rotations, m, [J, 3].
        rotations: of the joints against their parents, float64 [T, J, 3, 3].
        root: way of the root, m, [T, 3].
        fps: frames/s.
        skeleton: which joint is which of the body's.
        file: the recording's.
        sha256: of that file's bytes.
    """

    name: str
    person: str
    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: np.ndarray
    rotations: np.ndarray
    root: np.ndarray
    fps: float
    skeleton: Skeleton
    file: str = ""
    sha256: str = ""

    def __len__(self) -> int:
        """T."""
        return len(self.root)

    def length(self, fps: float) -> int:
        """How many frames the motion has at another rate."""
        return int((len(self) - 1) / self.fps * fps + 1e-6) + 1

    def world(self) -> tuple[np.ndarray, np.ndarray]:
        """Rotations of the joints in the world, [T, J, 3, 3], and their places, m, [T, J, 3]."""
        rotations, places = self.rotations.copy(), np.repeat(self.root[:, None], len(self.names), 1)
        for joint, parent in enumerate(self.parents[1:], start=1):
            rotations[:, joint] = rotations[:, parent] @ self.rotations[:, joint]
            places[:, joint] = places[:, parent] + rotations[:, parent] @ self.offsets[joint]
        return rotations, places

    def resampled(self, fps: float) -> "RecordedMotion":
        """The same motion at another rate. Steps of a joint faster than any walker's are bridged: tracking was lost."""
        before = np.arange(len(self)) / self.fps
        after = np.minimum(np.arange(self.length(fps)) / fps, before[-1])
        root = np.stack([np.interp(after, before, column) for column in self.root.T], -1)
        turned = [_interpolated(before, _bridged(before, joint), after) for joint in self.rotations.swapaxes(0, 1)]
        return replace(self, rotations=np.stack([joint.as_matrix() for joint in turned], 1), root=root, fps=fps)


def load_recording(path: str | Path) -> RecordedMotion:
    """Read a recorded motion.

    Args:
        path: a BVH file, an AMC with its ASF beside it (see :func:`~opengait_meshgait.walkers.acclaim.read_amc`), an
            .npz of AMASS or a .smpl (:func:`~opengait_meshgait.walkers.smpl_motion.read_smpl_motion`), or an .npz with
            ``names`` [J], ``parents`` [J], ``offsets`` [J, 3], ``local_rot`` [T, J, 3, 3], ``root`` [T, 3], ``fps`` and
            perhaps ``subject``, in the meaning of :class:`RecordedMotion`. Lengths may be in any unit of a power of ten
            metres, the one that makes the legs most nearly 0.85 m long.

    Raises:
        UserError: the file cannot be read, or holds no such motion, or joints are missing; the message says which.
    """
    path = Path(path)
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise UserError(f"{path} is no recorded motion: give files that end in {', '.join(_READERS)}.")
    fields: dict[str, Any] = {"person": path.stem.split("_")[0]} | read(path)
    try:
        skeleton = find_joints(fields["names"], fields["parents"])
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    motion = RecordedMotion(name=path.stem, skeleton=skeleton, file=path.name, sha256=sha256, **fields)
    chain = [skeleton.joints[joint] for joint in ("right_hip", "left_hip", "left_knee", "left_ankle")]
    bones = np.linalg.norm(np.diff(motion.world()[1][0, chain], axis=0), axis=1)
    if not bones.min() > 0:
        raise UserError(f"{path}: hips or the left leg have no length. Export the skeleton with its offsets.")
    unit = 10.0 ** np.round(np.log10(_LEG / bones[1:].sum()))
    return _upright(path, replace(motion, offsets=motion.offsets * unit, root=motion.root * unit))


def _upright(path: Path, motion: RecordedMotion) -> RecordedMotion:
    """The motion turned until y is up, from the y or the z that the person stands along."""
    _, places = motion.world()
    at = motion.skeleton.joints
    body = places[:, at["pelvis"]] - (places[:, at["left_ankle"]] + places[:, at["right_ankle"]]) / 2
    lean = body.mean(0)
    if (axis := int(np.abs(lean).argmax())) == 0 or lean[axis] < 0:
        raise UserError(
            f"{path}: the hips are {np.round(lean, 2).tolist()} m (x, y, z) from the feet on average, and must be "
            "above them along y or z. Export the motion of a person on foot, with y or z up."
        )
    if axis == 1:
        return motion
    turned = turn("X", -np.pi / 2)[0]
    rotations = motion.rotations.copy()
    rotations[:, 0] = turned @ rotations[:, 0]
    return replace(motion, rotations=rotations, root=motion.root @ turned.T)


def _from_joints(read: JointMotion) -> dict[str, Any]:
    root, rotations = read.positions[:, 0], read.rotations
    # Some skeletons hang from a point of reference that does not move with the person: the root is the joint below it.
    first = 0
    while read.parents.count(first) == 1 and np.ptp(read.positions[:, first + 1], axis=0).any():
        root = root + (rotations[:, first] @ read.positions[:, first + 1, :, None])[..., 0]
        rotations[:, first + 1] = rotations[:, first] @ rotations[:, first + 1]
        first += 1
    return {
        "names": read.names[first:],
        "parents": tuple(max(parent - first, -1) for parent in read.parents[first:]),
        "offsets": read.offsets[first:],
        "rotations": rotations[:, first:],
        "root": root,
        "fps": read.fps,
    }


def _read_npz(path: Path) -> dict[str, Any]:
    expected = f"A recorded motion is a .bvh, an .amc, a .smpl, or an .npz of AMASS or with {', '.join(_NPZ_KEYS)}"
    try:
        arrays = read_npz(path, (*_NPZ_KEYS, "subject"))
    except ValueError as error:
        raise UserError(f"Cannot read {path}: {error}. {expected}.") from error
    if holds_smpl_motion(arrays):
        return read_smpl_motion(path)
    missing = [key for key in _NPZ_KEYS if key not in arrays]
    if missing:
        raise UserError(f"{path} has no {', '.join(missing)}, only {', '.join(arrays) or 'nothing'}. {expected}.")
    names = tuple(map(str, arrays["names"].ravel()))
    frames, joints = len(arrays["root"]) if arrays["root"].ndim else 0, len(names)
    shapes = {"parents": (joints,), "offsets": (joints, 3), "local_rot": (frames, joints, 3, 3), "root": (frames, 3)}
    for key, shape in (shapes | {"fps": ()}).items():
        array = arrays[key]
        if array.shape != shape or array.dtype.kind not in "fiu":
            raise UserError(
                f"{path}: {key} is {array.dtype} {[*array.shape]}, and with {joints} names and {frames} frames of root "
                f"it must be numbers {[*shape]}. {expected}."
            )
        if not np.isfinite(array).all():
            raise UserError(f"{path}: {key} has NaN or infinity. Export the motion again.")
    if frames == 0:
        raise UserError(f"{path} holds 0 frames. Export it again with its motion.")
    parents, fps = tuple(map(int, arrays["parents"])), float(arrays["fps"])
    if parents[0] != -1 or any(not 0 <= parent < joint for joint, parent in enumerate(parents[1:], start=1)):
        raise UserError(f"{path}: parents is {[*parents]}: the first must be -1, each later one an earlier joint.")
    if fps <= 0:
        raise UserError(f"{path}: fps is {fps}: it must be positive.")
    rotations = arrays["local_rot"].astype(float)
    if np.abs(rotations @ rotations.swapaxes(-1, -2) - np.eye(3)).max() > 0.02 or np.linalg.det(rotations).min() < 0:
        raise UserError(f"{path}: local_rot holds matrices that are not rotations. Export the motion again.")
    subject = str(arrays.get("subject", "")).strip()
    return ({"person": subject} if subject else {}) | {
        "names": names,
        "parents": parents,
        "offsets": arrays["offsets"].astype(float),
        "rotations": Rotation.from_matrix(rotations.reshape(-1, 3, 3)).as_matrix().reshape(rotations.shape),
        "root": arrays["root"].astype(float),
        "fps": fps,
    }


_READERS: Mapping[str, Callable[[Path], dict[str, Any]]] = {
    ".bvh": lambda path: _from_joints(read_bvh(path)),
    ".amc": lambda path: _from_joints(read_amc(path)),
    ".npz": _read_npz,
    ".smpl": read_smpl_motion,
}


def _interpolated(before: np.ndarray, rotations: Rotation, after: np.ndarray) -> Rotation:
    """A joint's rotations at the times ``after``, each between two of ``before``."""
    return Slerp(before, rotations)(after) if len(before) > 1 else rotations


def _bridged(times: np.ndarray, matrices: np.ndarray) -> Rotation:
    """A joint's rotations, with those on either side of too fast a step put between the ones before and after them."""
    recorded = bridged = Rotation.from_matrix(matrices)
    good = np.ones(len(times), bool)
    while len(times) > 1:
        fast = np.rad2deg((bridged[:-1].inv() * bridged[1:]).magnitude()) > _FASTEST * np.diff(times)
        good[:-1] &= ~fast
        good[1:] &= ~fast
        if not fast.any() or good.sum() < 2:
            return bridged
        bounds = times[good]
        bridged = _interpolated(bounds, recorded[good], np.clip(times, bounds[0], bounds[-1]))
    return bridged
