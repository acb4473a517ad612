"""A mesh as a Wavefront OBJ, which every 3D program reads."""

from pathlib import Path

import numpy as np

from opengait_meshgait.common.files import atomic_path


def upright(points: np.ndarray) -> np.ndarray:
    """Crop space ``[..., 3]`` turned for people: x right, y up from the soles, z to the viewer; the unit stays."""
    return points * np.array([1, -1, -1], points.dtype) + np.array([0, 1, 0], points.dtype)


def write_obj(path: str | Path, vertices: np.ndarray, faces: np.ndarray, comment: str) -> None:
    """Write a mesh, atomically.

    Args:
        path: the file.
        vertices: m, y up, ``[V, 3]``.
        faces: from 0, ``[F, 3]``; from 1 in the file, as the format has it.
        comment: one line.
    """
    lines = [f"# {comment}", *("v {:.5f} {:.5f} {:.5f}".format(*vertex) for vertex in vertices.tolist())]
    lines += ["f {} {} {}".format(*face) for face in (faces + 1).tolist()]
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
