"""What virtual markers say of a person's build and motion, wherever the camera stands."""

import torch
import torch.nn.functional as F
from torch import Tensor

from opengait_meshgait.networks.layers import pool_sequences

# Frames apart: at 25 frames/s a step takes some 14 frames, a swing of a leg or an arm half of it.
_LAGS = (1, 3, 6)
NUMBERS = 3 * (2 + len(_LAGS))
"""Of a description, for each marker."""


def describe(markers: Tensor, side: Tensor, seqL: Tensor | None = None) -> Tensor:
    """Build and motion of each sequence, in the body's own frame.

    For every coordinate of every marker: its mean over time, its standard deviation, and by how much (root mean square)
    it changes within 1, 3 and 6 frames, 0 where a sequence is not longer than that.

    Args:
        markers: ``[n, s, K, 3]``, crop space, frames in their order, or packed ``[1, sum of lengths, K, 3]``.
        side: ``[K]``, see :func:`body_frame`.
        seqL: int ``[1, n]``, lengths of the packed sequences.

    Returns:
        ``[n, 15·K]``, float32, crop heights.
    """
    with torch.autocast(markers.device.type, enabled=False):
        points = body_frame(markers.float(), side.float()).flatten(2)
        return pool_sequences(points, seqL, _over_time)


def _over_time(points: Tensor) -> Tensor:
    changes = []
    for lag in _LAGS:
        squares = (points[:, lag:] - points[:, :-lag]).square()
        changes.append((squares.sum(1) / max(points.shape[1] - lag, 1)).sqrt())
    return torch.cat([points.mean(1), points.std(1, unbiased=False), *changes], dim=1)


def body_frame(markers: Tensor, side: Tensor) -> Tensor:
    """Markers from crop space into the body's own frame.

    Args:
        markers: ``[..., K, 3]``, crop space: x right, y down, z away from the camera.
        side: ``[K]``, 1 for markers on the body's left, -1 on its right, 0 between. Where there are none on either
            side, nothing is turned.

    Returns:
        ``[..., K, 3]`` around their centre, x to the body's left, y down. Its z points backward.
    """
    markers = markers - markers.mean(-2, keepdim=True)
    left = (side[:, None] * markers).sum(-2)[..., [0, 2]]
    # Added, so that a body without sides or seen edge-on still has a direction.
    left = F.normalize(left + left.new_tensor([1e-6, 0.0]), dim=-1)
    cosine, sine = left[..., :1], left[..., 1:]
    x, y, z = markers.unbind(-1)
    return torch.stack([cosine * x + sine * z, y, cosine * z - sine * x], dim=-1)
