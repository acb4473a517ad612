"""Rotations of bones, as matrices [T, 3, 3]."""

import numpy as np
from scipy.spatial.transform import Rotation


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


def share(rotations: np.ndarray, parts: int) -> np.ndarray:
    """The rotations [T, 3, 3] that, ``parts`` times one after the other, make the given ones."""
    return matrices(rotation_vectors(rotations) / parts)
