"""Half a mesh, decimated and mirrored: every vertex gets an exact counterpart on the other side."""

import fast_simplification
import numpy as np
import trimesh
from scipy.spatial import cKDTree


def decimate_half(mean: np.ndarray, faces: np.ndarray, num_vertices: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fewer vertices for the half at x >= 0 of a symmetric closed skin.

    Args:
        mean: the skin's vertices, [A, 3].
        faces: of the half, [F, 3]; its border lies on the plane x = 0.
        num_vertices: of both halves together, welded.

    Returns:
        Where each new vertex sits on the old surface, as indices [h, 3] of old vertices and barycentric
        coordinates [h, 3] (border vertices sit on border edges); the new faces [f, 3].
    """
    used, local = np.unique(faces, return_inverse=True)
    points, new_faces = fast_simplification.simplify(
        mean[used].astype(np.float32), local.reshape(-1, 3).astype(np.int64), target_count=num_vertices - 2, agg=5
    )
    points = points.astype(np.float64)
    midline = border_edges(faces)
    border = np.zeros(len(points), bool)
    border[border_edges(new_faces)] = True
    assert (points[border, 0] == 0).all() and (points[~border, 0] > 0).all()

    corners = {True: np.c_[midline, midline[:, :1]], False: faces}
    nearest = cKDTree(mean[faces].mean(1)).query(points, k=60)[1]
    ids, coordinates = np.zeros((len(points), 3), int), np.zeros((len(points), 3))
    for i, point in enumerate(points):
        candidates = corners[True] if border[i] else corners[False][nearest[i]]
        triangles = mean[candidates]
        feet = trimesh.triangles.closest_point(triangles, np.tile(point, (len(triangles), 1)))
        best = np.linalg.norm(feet - point, axis=1).argmin()
        ids[i] = candidates[best]
        if border[i]:
            start, end = triangles[best, 0], triangles[best, 1]
            along = np.clip((point - start) @ (end - start) / ((end - start) @ (end - start)), 0, 1)
            coordinates[i] = 1 - along, along, 0
        else:
            coordinates[i] = trimesh.triangles.points_to_barycentric(triangles[best][None], feet[best][None])[0]
    return ids, coordinates, new_faces


def border_edges(faces: np.ndarray) -> np.ndarray:
    """Edges of one triangle only, [e, 2]."""
    edges, count = np.unique(np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1), axis=0, return_counts=True)
    return edges[count == 1]


def mirror_half(border: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the whole mesh: counterpart of each vertex [V], faces [2f, 3]. Border vertices are shared."""
    half = len(border)
    mirror = np.arange(2 * half - border.sum())
    other_side = np.flatnonzero(~border)
    mirror[other_side] = np.arange(half, len(mirror))
    mirror[half:] = other_side
    return mirror, np.concatenate([faces, mirror[faces][:, ::-1]])
