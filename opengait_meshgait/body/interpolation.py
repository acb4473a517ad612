"""Weights that bring combinations of a few points nearest to others: exact, by non-negative least squares."""

import numpy as np
from scipy.optimize import nnls

NEGATIVE_COST = 0.1
"""Negative weights of one hundredth in all count as an error of 1 mm: weight x this many metres."""
NEIGHBOURS = 20
"""A vertex leans on its nearest markers only: a slip of a far one does not move it (and fits are faster)."""


def interpolation_weights(points: np.ndarray, markers: np.ndarray) -> np.ndarray:
    """Weights that sum to 1 and bring combinations of each point's nearest markers as near to it as can be.

    Minimises ``|points[:, i] - markers @ a|^2 + (NEGATIVE_COST * sum of a's negative part)^2`` over all a with sum 1
    that are 0 but for the NEIGHBOURS nearest markers.

    Args:
        points: m, ``[d, n]``.
        markers: m, ``[d, K]``.

    Returns:
        ``[n, K]``.
    """
    # A basis of the markers' span: what of the points is outside it adds the same to every objective.
    basis, markers = np.linalg.qr(markers)
    points = basis.T @ points
    squares = (points**2).sum(0)[:, None] + (markers**2).sum(0) - 2 * points.T @ markers
    near = np.argsort(squares, axis=1, kind="stable")[:, :NEIGHBOURS]
    positive = np.ones(near.shape[1])
    cost = NEGATIVE_COST * np.concatenate([0 * positive, positive])
    weights = np.zeros((points.shape[1], markers.shape[1]))
    for i, columns in enumerate(near):
        towards = markers[:, columns] - points[:, [i]]
        parts = _simplex(np.vstack([np.hstack([towards, -towards]), cost]), np.concatenate([positive, -positive]))
        weights[i, columns] = parts[: len(positive)] + parts[len(positive) :]
    return weights


def interpolation_errors(points: np.ndarray, markers: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """What :func:`interpolation_weights` minimises, for each point: ``[n]``."""
    return ((points - markers @ weights.T) ** 2).sum(0) + (NEGATIVE_COST * weights.clip(max=0).sum(1)) ** 2


def hull_weights(point: np.ndarray, markers: np.ndarray) -> np.ndarray:
    """Weights ``[K]`` of the point nearest to ``point [d]`` in the convex hull of ``markers [d, K]``."""
    return _simplex(markers - point[:, None], np.ones(markers.shape[1]))


def _simplex(matrix: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """The a ``[c]`` that minimises ``|matrix @ |a||^2`` where sum(a) = 1 and every a has the sign in ``signs``.

    The objective is homogeneous in a: with one more row, sum(a) = 1, the minimum of plain non-negative least squares
    is a multiple of the one wanted. No large penalty is needed.
    """
    target = np.zeros(len(matrix) + 1)
    target[-1] = 1
    solution = nnls(np.vstack([matrix, signs]), target, maxiter=100 * len(signs))[0] * signs
    return solution / solution.sum()
