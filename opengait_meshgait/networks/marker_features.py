"""Gait features from virtual markers, seen in the body's own frame."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.networks.feedback import damp_gradient, require_share
from opengait_meshgait.networks.layers import pool_sequences
from opengait_meshgait.networks.registry import LAYERS

# Crop heights. A coordinate that varies by less is not blown up to unit variance: it would be noise.
_STILL = 0.01


@LAYERS.register
class MarkerFeatures(nn.Module):
    """What the markers say of a person's build and gait, wherever the camera stands.

    Each frame's markers are moved to their centre and turned about the vertical axis, so that the body's left points
    along x: the direction of view is gone before features are made. A small network looks at each frame, and the
    maximum over time of what it finds tells of the gait; another one looks at the mean over time, the build.

    Args:
        markers: K.
        channels: width; twice as many features come out.
        parts: of the embedding, each with a linear map of its own. Build and gait belong to the whole body, and each
            part counts as much as a horizontal strip where embeddings are compared. In the strips themselves the
            markers helped to learn the training people by heart (docs/experiments.md).
        feedback: share of the recognition losses' gradient that goes on into the markers, 0 to 1; see
            :class:`~opengait_meshgait.networks.heatmap_features.HeatmapFeatures`. With all of it the markers become a
            code for people and no longer lie on the body.

    Raises:
        UserError: fewer than one channel or part, or ``feedback`` out of range.
    """

    def __init__(self, markers: int, channels: int = 128, parts: int = 4, feedback: float = 0.01):
        super().__init__()
        if channels < 1 or parts < 1:
            raise UserError(f"MarkerFeatures needs channels and parts of 1 or more and got {channels} and {parts}.")
        self.feedback = require_share("MarkerFeatures", feedback)
        self.parts, self.out_channels = parts, 2 * channels
        # In the checkpoint, because inference knows no body.
        self.register_buffer("side", torch.zeros(markers))
        self.normalise = nn.BatchNorm1d(3 * markers, _STILL**2, affine=False)
        self.frame = nn.Sequential(*_layer(3 * markers, channels), *_layer(channels, channels))
        self.normalise_mean = nn.BatchNorm1d(3 * markers, _STILL**2, affine=False)
        self.build = nn.Sequential(*_layer(3 * markers, channels))

    def set_sides(self, side: Tensor) -> None:
        """Say which markers lie on the body's left (1), on its right (-1) and between (0): ``[K]``."""
        self.side.copy_(side)

    def forward(self, markers: Tensor, seqL: Tensor | None = None) -> Tensor:
        """Markers in crop space to features of sequences.

        Args:
            markers: ``[n, s, K, 3]``, or packed ``[1, sum of lengths, K, 3]``.
            seqL: int ``[1, n]``, lengths of the packed sequences.

        Returns:
            ``[n, c, p]``, the same for every part.
        """
        with torch.autocast(markers.device.type, enabled=False):
            points = body_frame(damp_gradient(markers.float(), self.feedback), self.side.float()).flatten(2)
            mean = pool_sequences(points, seqL, lambda frames: frames.mean(1))
            points = self.normalise(points.flatten(0, 1)).unflatten(0, points.shape[:2])
            mean = self.normalise_mean(mean)
        gait = self.frame(points.flatten(0, 1)).unflatten(0, points.shape[:2])
        gait = pool_sequences(gait, seqL, lambda frames: frames.amax(1))
        return torch.cat([gait, self.build(mean)], dim=-1)[..., None].expand(-1, -1, self.parts)


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


def _layer(in_channels: int, channels: int) -> list[nn.Module]:
    return [nn.Linear(in_channels, channels, bias=False), nn.BatchNorm1d(channels), nn.ReLU(inplace=True)]
