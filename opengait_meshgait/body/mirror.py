"""Which vertices are each other's counterparts on the two sides of a body."""

import numpy as np
from scipy.spatial import cKDTree


def mirror_vertices(vertices: np.ndarray, neighbours: int = 8) -> np.ndarray:
    """Pair every vertex with the one nearest to its mirror image in the plane x = 0.

    The nearest pairs are made first. A vertex that finds no free counterpart among its neighbours, or is its own,
    stays alone, so that the answer is always a permutation and its own inverse.

    Args:
        vertices: of a nearly symmetric body, ``[V, 3]``.
        neighbours: how many candidates each vertex has.

    Returns:
        For each vertex its counterpart, int64 ``[V]``.
    """
    count = len(vertices)
    distances, candidates = cKDTree(vertices).query(vertices * [-1, 1, 1], k=min(neighbours, count))
    mirror, paired = np.arange(count), np.zeros(count, bool)
    for flat in np.argsort(distances, axis=None, kind="stable"):
        vertex, other = flat // candidates.shape[1], candidates.flat[flat]
        if not paired[vertex] and not paired[other]:
            mirror[vertex], mirror[other] = other, vertex
            paired[[vertex, other]] = True
    return mirror
