"""Pictures of what the network sees and finds, for TensorBoard."""

import torch
import torch.nn.functional as F
from torch import Tensor

from opengait_meshgait.networks.meshgait import MeshGaitOutput

_SCALE = 4  # pixels of the picture to one of the silhouette
_FRAMES = 6
_TRUE, _PREDICTED = (0.1, 0.8, 0.2), (0.9, 0.2, 0.2)


@torch.no_grad()
def training_picture(sils: Tensor, output: MeshGaitOutput, true_markers: Tensor | None = None) -> Tensor:
    """Frames of the batch's first sequence, one beside the other.

    Upper row: silhouettes with true (green) and predicted (red) markers. With heatmaps, a lower row: the volumes summed
    over markers and depth.

    Args:
        sils: what the network saw, [n, s, h, w], 0…1.
        output: what it found.
        true_markers: crop space, [n, s, K, 3], or None.

    Returns:
        [3, h', w'], 0…1, on the CPU.
    """
    frames = F.interpolate(_first(sils)[None], scale_factor=_SCALE)[0] * 0.5
    rows = [frames[:, None].repeat(1, 3, 1, 1)]
    for markers, colour in ((true_markers, _TRUE), (output.markers, _PREDICTED)):
        if markers is not None:
            _dots(rows[0], _first(markers), colour)
    if output.heatmaps is not None:
        maps = _first(output.heatmaps).sum((1, 2))[:, None]
        maps = F.interpolate(maps / maps.amax((2, 3), keepdim=True), size=frames.shape[1:], mode="bilinear")
        rows.append(maps.repeat(1, 3, 1, 1))
    return torch.cat([torch.cat([*row], dim=2) for row in rows], dim=1)


def _first(values: Tensor) -> Tensor:
    """The first frames of the first sequence."""
    return values[0, :_FRAMES].float().cpu()


def _dots(frames: Tensor, points: Tensor, colour: tuple[float, float, float]) -> None:
    """Paint points in crop space, [s, K, 3], into frames, [s, 3, h, w]; all 0 in a frame, they are not known there."""
    known = points.flatten(1).any(1).nonzero()[:, 0]
    points = points[known]
    height, width = frames.shape[2:]
    # x = 0 is the centre of the silhouette's middle column.
    middle = (width // _SCALE // 2 + 0.5) * _SCALE
    column = (points[..., 0] * height + middle).long().clamp(1, width - 2)
    row = (points[..., 1] * height).long().clamp(1, height - 2)
    frame = known[:, None].expand_as(row)
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            frames[frame, :, row + down, column + right] = torch.tensor(colour)
