"""How well reconstructed bodies cover the silhouettes they were made from, which needs no true body."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from opengait_meshgait.body.overlap import mesh_iou
from opengait_meshgait.body.supervision import BodySupervision, load_supervision
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.engine.schema import Config
from opengait_meshgait.networks import MeshGaitOutput

FRAMES_DRAWN = 4
"""Frames of a sequence whose bodies are drawn, evenly spread: all of them would take longer than recognising."""


def drawn_frames(length: int) -> np.ndarray:
    """Which frames of a sequence are drawn, int [at most :data:`FRAMES_DRAWN`]."""
    return np.unique(np.linspace(0, length - 1, FRAMES_DRAWN).round().astype(int))


def sequence_ious(
    output: MeshGaitOutput, faces: torch.Tensor, sils: torch.Tensor, seqL: torch.Tensor | None
) -> list[list[float]]:
    """The IoUs of meshes and silhouettes in :data:`FRAMES_DRAWN` frames of each sequence of a batch.

    Args:
        output: of the network, with ``vertices [n, s, V, 3]`` or packed ``[1, sum of seqL, V, 3]``.
        faces: of the mesh, int [F, 3].
        sils: what the network saw, [n, s, h, w] or packed, 0…1.
        seqL: lengths of packed sequences, [1, n], or None.
    """
    lengths = [sils.shape[1]] * len(sils) if seqL is None else seqL[0].tolist()
    places = [drawn_frames(length) for length in lengths]
    starts = np.cumsum([0, *lengths[:-1]])
    frames = torch.from_numpy(np.concatenate([start + chosen for start, chosen in zip(starts, places)]))
    vertices, seen = (values.flatten(0, 1)[frames.to(values.device)] for values in (output.vertices, sils))
    return [part.tolist() for part in mesh_iou(vertices, faces, seen).cpu().split([*map(len, places)])]


def body_to_draw(config: Config, state: Mapping[str, Any]) -> tuple[BodySupervision | None, str | None]:
    """The body behind a checkpoint's markers, where the data of the test hold silhouettes alone.

    Returns:
        It, or None and, for a network with a heatmap branch, why there is none.
    """
    if config.model_cfg.heatmap_cfg is None:
        return None, None
    absent = "IoU of mesh and silhouette is not known"
    if state.get("body", {}) is None:
        return None, f"{absent}: the network was trained without bodies, and its markers are no body's."
    try:
        found = load_supervision(**config.model_cfg.body_cfg.model_dump())
    except UserError as error:
        return None, f"{absent}: {error}"
    estimated, there = config.model_cfg.heatmap_cfg.get("markers"), len(found.markers.flip)
    if estimated not in (None, there):
        return None, f"{absent}: the network has {estimated} markers, and body_cfg names a set of {there}."
    return found, None
