"""The marker files that Ma et al. publish for SMPL, brought into the form of :class:`VirtualMarkers`.

Ma et al., "3D Human Mesh Estimation from Virtual Markers", CVPR 2023; repository ShirleyMaxx/VirtualMarker, folders
``assets/16`` to ``assets/96``. Their n = 5664 vertices are those of SMPL's 6890 that are not part of the head. Which
these are says ``smpl_indices.pkl``, which is not in the repository.
"""

import io
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
import torch

from opengait_meshgait.body.markers import VirtualMarkers, interpolation_weights, pose_body
from opengait_meshgait.body.model import BodyModel
from opengait_meshgait.body.pose_samples import sample_poses
from opengait_meshgait.common.errors import UserError, did_you_mean
from opengait_meshgait.common.files import ArrayUnpickler, read_pickle
from opengait_meshgait.common.npz import read_npz_objects

WEIGHTS, CHOICE, INFO = "vm_A_sym.npz", "vm_B_sym.npz", "vm_info.npz"
INDICES = "smpl_indices.pkl"
IGNORED_PART = "head"
SUM_TOLERANCE = 1e-3
MOST_ERROR = 0.1
"""m, mean over the covered vertices at rest. Markers of another body are off by several times that."""
_POSES = 600
_LEAST_WEIGHT = 1e-3
_WHERE_INDICES_ARE = (
    f"{INDICES} says which of SMPL's 6890 vertices these markers cover. It is not in VirtualMarker's repository, but "
    "among the further SMPL-related files that its README links under Installation (they belong into data/smpl). "
    f"Give it with --indices."
)


@dataclass(frozen=True)
class PublishedMarkers:
    """What is in a folder of VirtualMarker.

    Attributes:
        weights: of the covered vertices over the markers, float64 ``[n, K]``; rows sum to 1.
        places: each marker's place among the covered vertices, ``[K]``.
        flip: for each marker the one on the other side of the body, ``[K]``.
    """

    weights: np.ndarray
    places: np.ndarray
    flip: np.ndarray


def read_published_markers(folder: str | Path) -> PublishedMarkers:
    """Read ``vm_A_sym.npz`` ``[K, n]``, ``vm_B_sym.npz`` ``[n, K]`` and ``vm_info.npz`` of VirtualMarker.

    Raises:
        UserError: one of them is missing, or the three do not hold markers that belong together.
    """
    folder = Path(folder)
    missing = [name for name in (WEIGHTS, CHOICE, INFO) if not (folder / name).is_file()]
    if missing:
        raise UserError(
            f"{folder} lacks {', '.join(missing)}. Give a folder of VirtualMarker with {WEIGHTS}, {CHOICE} and {INFO}, "
            "for example assets/64 of the repository ShirleyMaxx/VirtualMarker."
        )
    weights = _read_matrix(folder / WEIGHTS).T
    choice = _read_matrix(folder / CHOICE)
    if choice.shape != weights.shape:
        raise UserError(
            f"{folder / WEIGHTS} is [{weights.shape[1]}, {weights.shape[0]}] (markers, vertices), so {CHOICE} should "
            f"be [{weights.shape[0]}, {weights.shape[1]}] and is {list(choice.shape)}. Take all files from one folder."
        )
    sums = weights.sum(1)
    worst = np.abs(sums - 1).argmax()
    if not abs(sums[worst] - 1) <= SUM_TOLERANCE:
        raise UserError(f"Column {worst} of {folder / WEIGHTS} sums to {sums[worst]:.4f}; expected 1. Get it again.")
    if not (np.isin(choice, (0, 1)).all() and (choice.sum(0) == 1).all()):
        raise UserError(f"{folder / CHOICE} should have a single 1 in each column, one for each marker. Get it again.")
    places = choice.argmax(0)
    if not np.allclose(weights[places], np.eye(len(places)), atol=1e-2):
        raise UserError(
            f"{WEIGHTS} and {CHOICE} in {folder} do not belong together: by the first, the vertices that the second "
            "names are no markers. Take all files from one folder."
        )
    return PublishedMarkers(weights / sums[:, None], places, _read_flip(folder / INFO, len(places)))


def read_covered_vertices(path: str | Path, num_vertices: int) -> np.ndarray:
    """The vertices that published markers cover, from ``smpl_indices.pkl``: those that are not part of the head.

    Args:
        path: a pickled dictionary from names of body parts to indices of vertices (tensors, arrays or lists).
        num_vertices: V.

    Returns:
        Indices in ascending order, int64 ``[n]``.

    Raises:
        UserError: no such file, or another content.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"No {INDICES} at {path}. {_WHERE_INDICES_ARE}")
    parts = read_pickle(path, _TensorUnpickler, encoding="latin1")
    if not isinstance(parts, Mapping):
        raise UserError(f"{path} holds a {type(parts).__name__}, not a dictionary of body parts. {_WHERE_INDICES_ARE}")
    if IGNORED_PART not in parts:
        raise UserError(f"{path} has no part '{IGNORED_PART}'. {did_you_mean(IGNORED_PART, map(str, parts))}")
    ignored = np.asarray(parts[IGNORED_PART])
    if ignored.dtype.kind not in "iu" or ignored.ndim != 1 or not np.isin(ignored, np.arange(num_vertices)).all():
        raise UserError(
            f"The part '{IGNORED_PART}' in {path} should be indices of vertices, 0 to {num_vertices - 1}: use the file "
            "with the body that it was made for, SMPL."
        )
    return np.setdiff1d(np.arange(num_vertices), ignored)


def import_published_markers(published: PublishedMarkers, covered: np.ndarray, body: BodyModel) -> VirtualMarkers:
    """Published markers for a body. Vertices that they do not cover get weights fitted on posed bodies.

    Args:
        published: what :func:`read_published_markers` found.
        covered: the vertices that they are of, ``[n]``.
        body: the SMPL body that they are wanted for.

    Raises:
        UserError: ``covered`` has another length than the markers were made for, or the mesh at rest does not come
            out of its markers: it is another body, or its vertices are in another order.
    """
    if len(covered) != len(published.weights):
        raise UserError(
            f"The markers cover {len(published.weights)} vertices; without the part '{IGNORED_PART}' of {INDICES}, the "
            f"{body.num_vertices} of {body.name} are {len(covered)}. They are made for SMPL's 6890 vertices and its "
            f"{INDICES}."
        )
    vertex_ids = covered[published.places]
    rest = body.v_template.double().numpy()
    error = np.linalg.norm(published.weights @ rest[vertex_ids] - rest[covered], axis=1).mean()
    if error > MOST_ERROR:
        raise UserError(
            f"By these markers the vertices of {body.name} at rest are {1000 * error:.0f} mm from where they are, on "
            f"average. The body is not SMPL, or {INDICES} is not the one of VirtualMarker."
        )
    meshes, _ = pose_body(body, *sample_poses(_POSES, seed=0))
    points = meshes.transpose(0, 2, 1).reshape(-1, body.num_vertices) / np.sqrt(len(meshes))
    others = np.setdiff1d(np.arange(body.num_vertices), covered)
    fitted = interpolation_weights(points[:, others].astype(np.float64), points[:, vertex_ids].astype(np.float64))
    fitted[np.abs(fitted) < _LEAST_WEIGHT] = 0
    interpolation = np.empty((body.num_vertices, len(vertex_ids)))
    interpolation[covered] = published.weights
    interpolation[others] = fitted / fitted.sum(1, keepdims=True)
    arrays = {"interpolation": interpolation, "vertex_ids": vertex_ids, "flip": published.flip}
    return VirtualMarkers(arrays, f"VirtualMarker-{len(vertex_ids)}", body.name, body.fingerprint)


class _TensorUnpickler(ArrayUnpickler):
    """Also builds PyTorch's tensors, whose bytes are read by PyTorch's own restricted unpickler."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("torch.storage", "_load_from_bytes"):
            return _load_storage
        if (module, name) in {("torch._utils", "_rebuild_tensor_v2"), ("collections", "OrderedDict")}:
            return pickle.Unpickler.find_class(self, module, name)
        return super().find_class(module, name)


def _load_storage(content: bytes) -> Any:
    try:
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except RuntimeError as error:
        raise pickle.UnpicklingError(f"one of its tensors is damaged: {error}") from error


def _read_matrix(path: Path) -> np.ndarray:
    """A matrix that SciPy saved sparse, dense."""
    content = read_npz_objects(path)
    try:
        parts = [content[key] for key in ("data", "indices", "indptr")]
        kind = {b"csc": scipy.sparse.csc_matrix, b"csr": scipy.sparse.csr_matrix}[bytes(content["format"][()])]
        matrix = kind(tuple(parts), shape=tuple(content["shape"]), dtype=np.float64)
        matrix.check_format(full_check=True)
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise UserError(
            f"{path} holds no matrix as scipy.sparse.save_npz writes it ({error}). Get it again."
        ) from error
    return matrix.toarray()


def _read_flip(path: Path, count: int) -> np.ndarray:
    """The permutation that swaps the pairs in ``vm_info.npz``."""
    content = read_npz_objects(path)
    if "vm_flip_pairs" not in content:
        raise UserError(f"{path} has no vm_flip_pairs. It holds: {', '.join(content) or 'nothing'}.")
    try:
        pairs = np.array(content["vm_flip_pairs"].tolist(), np.int64).reshape(-1, 2)
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise UserError(f"vm_flip_pairs in {path} should be pairs of markers: {error}. Get it again.") from error
    ends = pairs.ravel()
    if len(np.unique(ends)) != len(ends) or not np.isin(ends, np.arange(count)).all():
        raise UserError(
            f"vm_flip_pairs in {path} should name each of the {count} markers once at most. Take all files from one "
            "folder."
        )
    flip = np.arange(count)
    flip[pairs] = pairs[:, ::-1]
    return flip
