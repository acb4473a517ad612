"""Pictures of a training batch for TensorBoard."""

import torch
import torch.nn.functional as F

from opengait_meshgait.engine.step import StepResult

_SCALE = 4  # pixels of the picture to one of the silhouette
_FRAMES = 6
_TRUE, _PREDICTED = (0.1, 0.8, 0.2), (0.9, 0.2, 0.2)


def training_picture(result: StepResult) -> torch.Tensor:
    """Frames of the batch's first sequence, one beside the other.

    Upper row: silhouettes with true (green) and predicted (red) markers. With heatmaps, a lower row: the volumes summed
    over markers and depth.

    Returns:
        [3, h, w], 0…1, on the CPU.
    """
    sils = result.sils[0, :_FRAMES].detach().float().cpu()
    output, targets = result.output, result.targets
    frames = F.interpolate(sils[None], scale_factor=_SCALE)[0] * 0.5
    rows = [frames[:, None].repeat(1, 3, 1, 1)]
    for markers, colour in ((targets and targets.markers, _TRUE), (output.markers, _PREDICTED)):
        if markers is not None:
            _dots(rows[0], markers[0, :_FRAMES].detach().float().cpu(), colour)
    if output.heatmaps is not None:
        maps = output.heatmaps[0, :_FRAMES].detach().float().cpu().sum((1, 2))[:, None]
        maps = F.interpolate(maps / maps.amax((2, 3), keepdim=True), size=frames.shape[1:], mode="bilinear")
        rows.append(maps.repeat(1, 3, 1, 1))
    return torch.cat([torch.cat([*row], dim=2) for row in rows], dim=1)


def _dots(frames: torch.Tensor, points: torch.Tensor, colour: tuple[float, float, float]) -> None:
    """Paint points, [s, K, 3] in crop heights, into frames, [s, 3, h, w]."""
    height, width = frames.shape[2:]
    column = (points[..., 0] * height + width / 2).long().clamp(1, width - 2)
    row = (points[..., 1] * height).long().clamp(1, height - 2)
    frame = torch.arange(len(points))[:, None].expand_as(row)
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            frames[frame, :, row + down, column + right] = torch.tensor(colour)
