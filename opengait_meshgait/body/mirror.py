"""Which vertices are each other's counterparts on the two sides of a body."""

import numpy as np
from scipy.spatial import cKDTree


def mirror_vertices(vertices: np.ndarray) -> np.ndarray:
    """Pair every vertex with the one nearest to its mirror image in the plane x = 0.

    The nearest pairs are made first. A vertex that is its own counterpart, or finds none free among the eight nearest,
    stays alone, so that the answer is always a permutation and its own inverse.

    Args:
        vertices: of a nearly symmetric body, ``[V, 3]``.

    Returns:
        For each vertex its counterpart, int64 ``[V]``.
    """
    count = len(vertices)
    distances, candidates = cKDTree(vertices).query(vertices * [-1, 1, 1], k=range(1, min(8, count) + 1))
    mirror, paired = np.arange(count), np.zeros(count, bool)
    for flat in np.argsort(distances, axis=None, kind="stable"):
        vertex, other = flat // candidates.shape[1], candidates.flat[flat]
        if not paired[vertex] and not paired[other]:
            mirror[vertex], mirror[other] = other, vertex
            paired[[vertex, other]] = True
    return mirror


def mirror_errors(vertices: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """How far each vertex's mirror image is from its counterpart: ``[V]``, in the unit of ``vertices`` ``[V, 3]``."""
    return np.linalg.norm(vertices * [-1, 1, 1] - vertices[mirror], axis=1)
