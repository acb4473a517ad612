"""Rotations of bones, as matrices [T, 3, 3], feet that roll over the ground without slipping, legs that reach them."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

PHASES = np.arange(256) / 256
"""One stride in equal steps: the grid of all periodic tables."""
# Skin within this height of the lowest point bears the foot, m.
_CONTACT = 0.002


def turn(axes: str, *angles: np.ndarray | float) -> np.ndarray:
    """The product of turns about the given axes: ``turn("YX", a, b)`` is Ry(a) Rx(b). Angles in rad, [T] or numbers.

    In a walker's world (x left, y up, z forward) a positive turn about x pitches what stands up forward, about y turns
    what faces forward to the left, and about z lifts the left side.
    """
    stacked = np.stack(np.broadcast_arrays(*(np.atleast_1d(angle) for angle in angles)), -1)
    return Rotation.from_euler(axes, stacked).as_matrix()


def rotation_vectors(rotations: np.ndarray) -> np.ndarray:
    """Axis-angle, rad, [..., 3] of matrices [..., 3, 3]."""
    return Rotation.from_matrix(rotations.reshape(-1, 3, 3)).as_rotvec().reshape(rotations.shape[:-1])


def matrices(vectors: np.ndarray) -> np.ndarray:
    """Matrices [..., 3, 3] of axis-angle, rad, [..., 3]."""
    return Rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix().reshape(*vectors.shape, 3)


def shortest_turns(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The least rotations [..., 3, 3] that take the directions of ``start`` [..., 3] to those of ``end``."""
    axis = np.cross(start, end)
    sine = np.linalg.norm(axis, axis=-1, keepdims=True)
    angle = np.arctan2(sine, (start * end).sum(-1, keepdims=True))
    return matrices(angle * axis / np.maximum(sine, 1e-12))


def share(rotations: np.ndarray, parts: int) -> np.ndarray:
    """The rotations [T, 3, 3] that, ``parts`` times one after the other, make the given ones."""
    return matrices(rotation_vectors(rotations) / parts)


@dataclass(frozen=True)
class Foot:
    """The skin of a shod foot that may touch the ground.

    Attributes:
        sole: relative to the ankle in the rest pose, m, [P, 3].
        ball: the toe joint relative to the ankle, m, [3].
        toes: how much each point follows the toes, 0 … 1, [P].
    """

    sole: np.ndarray
    ball: np.ndarray
    toes: np.ndarray

    def turned(self, foot: np.ndarray, toes: np.ndarray) -> np.ndarray:
        """The points relative to the ankle, m, [T, P, 3], by the world rotations of foot and toes, [T, 3, 3]."""
        points = self.sole @ foot.transpose(0, 2, 1)
        ball = self.ball @ foot.transpose(0, 2, 1)
        on_toes = (self.sole - self.ball) @ toes.transpose(0, 2, 1) + ball[:, None]
        return points + self.toes[:, None] * (on_toes - points)

    def height_and_roll(self, pitch: np.ndarray, flexion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where the ankle is when the foot rests on the ground and rolls over it.

        Args:
            pitch: of the foot, toes up positive, rad, [T].
            flexion: of the toes, up positive, rad, [T].

        Returns:
            Height of the ankle above the ground [T] and its way forward since the first frame [T], m.
        """
        points = self.turned(turn("X", -pitch), turn("X", -pitch - flexion))
        lowest = points[..., 1].min(1, keepdims=True)
        weight = np.exp((lowest - points[..., 1]) / _CONTACT)
        bearing = weight[:-1] * weight[1:]  # in contact before and after the step: what must not slip
        slip = (bearing * np.diff(points[..., 2], axis=0)).sum(1) / bearing.sum(1)
        return -lowest[:, 0], np.concatenate([[0.0], -slip.cumsum()])


def reach_ankle(
    hip: np.ndarray, ankle: np.ndarray, thigh: np.ndarray, shank: np.ndarray, forward: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Two-link inverse kinematics of a leg whose knee bends forward.

    Args:
        hip, ankle: where the joints shall be, m, [T, 3]. An ankle out of reach is approached with a straight leg.
        thigh, shank: the bones in the rest pose, from the upper joint to the lower, m, [3].
        forward: unit direction into which the knee points, [T, 3].

    Returns:
        World rotations of thigh and shank, [T, 3, 3] each.
    """
    upper, lower = np.linalg.norm(thigh), np.linalg.norm(shank)
    line = ankle - hip
    distance = np.linalg.norm(line, axis=-1, keepdims=True)
    down = line / distance
    distance = np.clip(distance, abs(upper - lower) + 1e-4, (upper + lower) * (1 - 1e-6))
    hinge = np.cross(forward, down)
    hinge /= np.linalg.norm(hinge, axis=-1, keepdims=True)
    cosine = (upper**2 + distance**2 - lower**2) / (2 * upper * distance)
    along = cosine * down + np.sqrt(1 - cosine**2) * np.cross(down, hinge)
    below = (distance * down - upper * along) / lower
    return _align(thigh / upper, along, hinge), _align(shank / lower, below, hinge)


def _align(bone: np.ndarray, direction: np.ndarray, hinge: np.ndarray) -> np.ndarray:
    """Rotations [T, 3, 3] that take ``bone`` to ``direction`` and the sideways axis across it to ``hinge``."""
    sideways = np.array([1.0, 0, 0]) - bone[0] * bone
    sideways /= np.linalg.norm(sideways)
    rest = np.stack([sideways, bone, np.cross(sideways, bone)], -1)
    return np.stack([hinge, direction, np.cross(hinge, direction)], -1) @ rest.T
