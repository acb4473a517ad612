"""Which triangles of a mesh are seen, and how bright they are."""

import numpy as np

_LIGHT = np.array([-0.4, -0.6, -0.7]) / np.linalg.norm([0.4, 0.6, 0.7])


def shade(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The half of a closed surface that faces the viewer, its farthest triangles first.

    Args:
        corners: of the triangles, x right, y down, z away from the viewer, ``[F, 3, 3]``.

    Returns:
        Indices of the triangles to draw in this order, ``[f]``, and how much of their colour each shows, 0.35…1,
        ``[f]``: the light is behind the viewer's left shoulder.
    """
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12
    # The surface's winding says which sign of the normals faces the viewer.
    volume = np.einsum("fi,fi->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2]))
    normals *= np.sign(volume) or 1.0
    front = np.flatnonzero(normals[:, 2] < 0)
    front = front[np.argsort(-corners[front, :, 2].mean(1))]
    return front, 0.35 + 0.65 * np.clip(normals[front] @ _LIGHT, 0, 1)
