"""Virtual markers: a few vertices of the body's surface, from which the whole mesh follows linearly.

Their weights are exact, by non-negative least squares.
"""

import hashlib
from collections.abc import Mapping
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import torch
from torch import nn

from opengait_meshgait.body.model import BodyModel
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.files import atomic_path
from opengait_meshgait.common.npz import read_npz

ARRAYS = ("interpolation", "vertex_ids", "flip")
LABELS = ("name", "body_name", "body_fingerprint")
LEARN = "meshgait markers learn --body BODY --out MARKERS.npz"
IMPORT = "meshgait markers import --from FOLDER --indices smpl_indices.pkl --body SMPL_NEUTRAL.pkl --out MARKERS.npz"
_KEYS = "In a config, model_cfg.body_cfg.body names the body's file and model_cfg.body_cfg.markers that of its markers."
NEGATIVE_COST = 0.1
"""Negative weights of one hundredth in all count as an error of 1 mm: weight x this many metres."""
NEIGHBOURS = 20
"""A vertex leans on its nearest markers only: a slip of a far one does not move it (and fits are faster)."""


class VirtualMarkers(nn.Module):
    """K vertices of a body and the matrix that interpolates its mesh from them.

    Ma et al., "3D Human Mesh Estimation from Virtual Markers", CVPR 2023. Because every row of the matrix sums to 1,
    moving, turning or scaling the markers does the same to the mesh. The arrays are buffers that no state-dict holds.

    Args:
        arrays: ``interpolation [V, K]``, ``vertex_ids [K]`` and ``flip [K]``, for each marker the index of its
            counterpart on the other side of the body (itself on the midline).
        name: of these markers, for messages.
        body_name: of the body that they were learned on.
        body_fingerprint: of that body.

    Attributes:
        fingerprint: 16 hexadecimal digits that stand for the arrays.
    """

    interpolation: torch.Tensor
    vertex_ids: torch.Tensor
    flip: torch.Tensor

    def __init__(self, arrays: Mapping[str, np.ndarray], name: str, body_name: str, body_fingerprint: str):
        super().__init__()
        self.name = name
        self.body_name = body_name
        self.body_fingerprint = body_fingerprint
        digest = hashlib.sha256()
        for key in ARRAYS:
            dtype = np.float32 if key == "interpolation" else np.int64
            array = np.ascontiguousarray(arrays[key], dtype)
            digest.update(array.tobytes())
            self.register_buffer(key, torch.from_numpy(array), persistent=False)
        self.fingerprint = digest.hexdigest()[:16]

    @property
    def num_markers(self) -> int:
        """K."""
        return len(self.vertex_ids)

    def select(self, vertices: torch.Tensor) -> torch.Tensor:
        """The markers ``[..., K, 3]`` of meshes ``[..., V, 3]``, in the same unit and dtype."""
        if vertices.shape[-2:] != (len(self.interpolation), 3):
            raise ValueError(f"expected vertices [..., {len(self.interpolation)}, 3], got {[*vertices.shape]}")
        return vertices[..., self.vertex_ids, :]

    def reconstruct(self, markers: torch.Tensor) -> torch.Tensor:
        """Meshes ``[..., V, 3]`` from markers ``[..., K, 3]``, in the same unit; float32 under autocast too."""
        if markers.shape[-2:] != (self.num_markers, 3):
            raise ValueError(f"expected markers [..., {self.num_markers}, 3], got {[*markers.shape]}")
        with torch.autocast(markers.device.type, enabled=False):
            return self.interpolation @ markers.to(self.interpolation.dtype)


def save_markers(markers: VirtualMarkers, path: str | Path) -> None:
    """Write ``markers`` as a compressed .npz, whole or not at all. The same markers give the same bytes."""
    content = {key: getattr(markers, key).cpu().numpy() for key in ARRAYS}
    content |= {key: np.array(getattr(markers, key)) for key in LABELS}
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **content)


def load_markers(source: str | Path | None = None, body: BodyModel | None = None) -> VirtualMarkers:
    """The markers in ``source``; None is the K = 64 that ship for the stand-in body.

    Args:
        source: a file that :func:`save_markers` wrote.
        body: the body that they are wanted for.

    Raises:
        UserError: no such file, a file of another kind, or markers that were learned on another body than ``body``.
    """
    if source is None:
        with as_file(files("opengait_meshgait") / "assets" / "markers_64.npz") as path:
            markers = load_markers(path)
        if body is not None and markers.body_fingerprint != body.fingerprint:
            raise UserError(
                f"The body {body.name} (fingerprint {body.fingerprint}, {body.num_vertices} vertices) needs virtual "
                f"markers of its own: those that ship belong to the stand-in body {markers.body_name}. Learn them: "
                f"{LEARN} or, for SMPL, convert published ones: {IMPORT} {_KEYS}"
            )
        return markers
    path = Path(source)
    if (path / "vm_A_sym.npz").is_file():
        raise UserError(f"{path} is a folder of VirtualMarker's files. Convert them: {IMPORT}")
    if not path.is_file():
        raise UserError(f"No file of virtual markers at {path}. Learn them: {LEARN}")
    try:
        content = read_npz(path)
    except ValueError as error:
        raise UserError(f"Cannot read virtual markers from {path}: {error}. Learn them: {LEARN}") from error
    if {"indptr", "indices", "data"} <= content.keys():
        raise UserError(
            f"{path} is a sparse matrix, one of the files that VirtualMarker publishes for SMPL. "
            f"Convert them together: {IMPORT}"
        )
    missing = [key for key in (*ARRAYS, *LABELS) if key not in content]
    if missing:
        raise UserError(
            f"{path} holds no virtual markers: {', '.join(missing)} missing (found: {', '.join(sorted(content))}). "
            f"Learn them: {LEARN}"
        )
    fault = _fault(*(content[key] for key in ARRAYS))
    if fault:
        raise UserError(f"The virtual markers in {path} are damaged: {fault}. Learn them anew: {LEARN}")
    markers = VirtualMarkers({key: content[key] for key in ARRAYS}, *(str(content[key]) for key in LABELS))
    if body is not None and markers.body_fingerprint != body.fingerprint:
        raise UserError(
            f"The virtual markers {markers.name} were learned on the body {markers.body_name} "
            f"(fingerprint {markers.body_fingerprint}, {len(markers.interpolation)} vertices), and the body at hand is "
            f"{body.name} (fingerprint {body.fingerprint}, {body.num_vertices} vertices). Give the body that they "
            f"belong to, or learn markers for this one: {LEARN} {_KEYS}"
        )
    return markers


@torch.no_grad()
def pose_body(body: BodyModel, pose: np.ndarray, betas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Meshes ``[n, V, 3]`` and joints ``[n, 24, 3]``, m, of poses ``[n, 72]`` and betas ``[n, 10]``; all float32."""
    vertices, joints = body(torch.from_numpy(pose), torch.from_numpy(betas))
    return vertices.numpy(), joints.numpy()


def marker_errors(
    markers: VirtualMarkers, body: BodyModel, meshes: np.ndarray, joints: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """How far what the markers of posed bodies give is from these bodies.

    Args:
        meshes, joints: of ``body``, to which the markers belong, m, ``[n, V, 3]`` and ``[n, 24, 3]``.

    Returns:
        Distances of the vertices ``[n, V]`` and of the joints ``[n, 24]``, mm, float32.
    """
    true = torch.from_numpy(meshes)
    rebuilt = markers.reconstruct(markers.select(true))
    rests = rebuilt - true, body.J_regressor @ rebuilt - torch.from_numpy(joints)
    vertices, joints = (1000 * rest.square().sum(-1).sqrt().numpy() for rest in rests)
    return vertices, joints


def _fault(interpolation: np.ndarray, vertex_ids: np.ndarray, flip: np.ndarray) -> str | None:
    """What is wrong with arrays of a file, or None."""
    if interpolation.ndim != 2 or interpolation.dtype.kind != "f":
        return f"interpolation should be floats [V, K] and is {interpolation.dtype} {list(interpolation.shape)}"
    vertices, count = interpolation.shape
    for name, array, stop in (("vertex_ids", vertex_ids, vertices), ("flip", flip, count)):
        if array.shape != (count,) or array.dtype.kind not in "iu":
            return f"{name} should be integers [{count}] and is {array.dtype} {list(array.shape)}"
        if array.min() < 0 or array.max() >= stop:
            return f"{name} should lie in 0…{stop - 1} and reaches from {array.min()} to {array.max()}"
    if not np.array_equal(flip[flip], np.arange(count)):
        return "flip does not lead back to every marker when applied twice"
    if not np.allclose(interpolation.sum(1), 1, atol=1e-4):
        return "the rows of interpolation do not sum to 1"
    return None


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
    from scipy.optimize import nnls  # which takes long to import

    target = np.zeros(len(matrix) + 1)
    target[-1] = 1
    solution = nnls(np.vstack([matrix, signs]), target, maxiter=100 * len(signs))[0] * signs
    return solution / solution.sum()
