"""Pictures of what the network sees and finds, for TensorBoard."""

import numpy as np
import torch
from torch import Tensor

from opengait_meshgait.networks.meshgait import MeshGaitOutput
from opengait_meshgait.visual.drawing import draw_heatmaps, draw_markers

_FRAMES = 6


@torch.no_grad()
def training_picture(sils: Tensor, output: MeshGaitOutput, true_markers: Tensor | None = None) -> Tensor:
    """Frames of the batch's first sequence, side by side.

    Upper row: silhouettes with true (green) and estimated (red) markers. With heatmaps, they are in a lower row.

    Args:
        sils: what the network saw, [n, s, h, w], 0…1.
        output: what it found.
        true_markers: crop space, [n, s, K, 3], all 0 in a frame where they are not known, or None.

    Returns:
        [3, h', w'], 0…1, on the CPU.
    """
    silhouettes = np.rint(_first(sils) * 255).astype(np.uint8)
    none = [None] * len(silhouettes)
    found, true = (none if points is None else _first(points) for points in (output.markers, true_markers))
    known = [None if points is None or not points.any() else points for points in true]
    rows = [np.hstack([draw_markers(*frame) for frame in zip(silhouettes, found, known)])]
    if output.heatmaps is not None:
        height, width = silhouettes.shape[1:]
        volumes = zip(_first(output.heatmaps), silhouettes)
        rows.append(np.hstack([draw_heatmaps(each, width / height / 2, sil) for each, sil in volumes]))
    return torch.from_numpy(np.vstack(rows)).permute(2, 0, 1) / 255


def _first(values: Tensor) -> np.ndarray:
    """The first frames of the first sequence."""
    return values[0, :_FRAMES].float().cpu().numpy()
