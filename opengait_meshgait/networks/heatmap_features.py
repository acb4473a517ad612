"""Gait features from 3D heatmaps, and their fusion with the silhouettes'."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from opengait_meshgait.common.errors import UserError, did_you_mean
from opengait_meshgait.common.validation import Share
from opengait_meshgait.networks.blocks import BasicBlock
from opengait_meshgait.networks.registry import LAYERS, Count


@LAYERS.register
class HeatmapFeatures(nn.Module):
    """A small residual network over the heatmaps of a frame, at their own resolution.

    Markers and depth cells are the channels: the first convolution (1×1) weighs them against each other at each
    place of the silhouette's plane, the residual blocks look at neighbourhoods.

    Args:
        in_channels: K·D.
        channels: width after the first convolution, then of each residual block.
        feedback: share of the recognition losses' gradient that flows back into the heatmaps, 0 to 1. The
            body losses are means over hundreds of coordinates, the triplet loss is not: unscaled, its gradient is
            about 50 times as large at the start and drives the markers out of the volume before they are learnt.
    """

    filled_in = ("in_channels",)

    def __init__(
        self,
        in_channels: int,
        channels: Annotated[Sequence[Count], Field(min_length=1)] = (128, 256),
        feedback: Share = 0.01,
    ):
        super().__init__()
        self.feedback = feedback
        self.reduce = nn.Conv2d(in_channels, channels[0], 1, bias=False)
        self.bn = nn.BatchNorm2d(channels[0])
        self.relu = nn.ReLU(inplace=True)
        self.blocks = nn.Sequential(*(BasicBlock(a, b) for a, b in pairwise(channels)))

    def forward(self, heatmaps: Tensor) -> Tensor:
        """Heatmaps ``[n, K, D, h, w]`` to feature maps ``[n, c, h, w]``."""
        cells = heatmaps[0, 0].numel()
        heatmaps = _damp_gradient(heatmaps, self.feedback).flatten(1, 2)
        # Probabilities average 1 / (D·h·w), about 1e-3: their variance would drown in the batch normalisation's
        # epsilon. Scaled by the number of cells they average 1; the weights are scaled instead, which are far smaller.
        # A product of matrices is several times faster on a CPU than the same 1×1 convolution.
        with torch.autocast(heatmaps.device.type, enabled=False):
            # In 16 bits the scaled gradient would overflow.
            weight = (self.reduce.weight.flatten(1) * cells).expand(heatmaps.shape[0], -1, -1)
            x = torch.bmm(weight, heatmaps.flatten(2).to(weight.dtype)).unflatten(2, heatmaps.shape[-2:])
        return self.blocks(self.relu(self.bn(x)))


def _damp_gradient(x: Tensor, share: float) -> Tensor:
    """``x`` itself, whose gradient is multiplied by ``share`` on the way back."""
    if not x.requires_grad:
        return x
    same = x.view_as(x)
    same.register_hook(lambda gradient: gradient * share)
    return same


class ConcatFusion(nn.Module):
    """Both branches' channels side by side."""

    def __init__(self, sil_channels: int, heatmap_channels: int):
        super().__init__()
        self.out_channels = sil_channels + heatmap_channels

    def forward(self, sil: Tensor, heatmap: Tensor) -> Tensor:
        """``[n, c, p]`` and ``[n, c', p]`` to ``[n, c + c', p]``."""
        return torch.cat([sil, heatmap], dim=1)


class AddFusion(nn.Module):
    """The silhouette features plus a linear map of the heatmap features."""

    def __init__(self, sil_channels: int, heatmap_channels: int):
        super().__init__()
        self.out_channels = sil_channels
        self.project = nn.Conv1d(heatmap_channels, sil_channels, 1, bias=False)

    def forward(self, sil: Tensor, heatmap: Tensor) -> Tensor:
        """``[n, c, p]`` and ``[n, c', p]`` to ``[n, c, p]``."""
        return sil + self.project(heatmap)


class GatedFusion(nn.Module):
    """A mean of both branches whose weights, one for each channel and part, both branches decide."""

    def __init__(self, sil_channels: int, heatmap_channels: int):
        super().__init__()
        self.out_channels = sil_channels
        self.project = nn.Conv1d(heatmap_channels, sil_channels, 1, bias=False)
        self.gate = nn.Conv1d(sil_channels + heatmap_channels, sil_channels, 1)

    def forward(self, sil: Tensor, heatmap: Tensor) -> Tensor:
        """``[n, c, p]`` and ``[n, c', p]`` to ``[n, c, p]``."""
        gate = torch.sigmoid(self.gate(torch.cat([sil, heatmap], dim=1)))
        projected = self.project(heatmap)
        return projected + gate * (sil - projected)


Fusion = ConcatFusion | AddFusion | GatedFusion
FUSIONS: dict[str, type[Fusion]] = {"concat": ConcatFusion, "add": AddFusion, "gated": GatedFusion}


def build_fusion(name: str, sil_channels: int, heatmap_channels: int) -> Fusion:
    """The fusion called ``name``.

    Raises:
        UserError: there is no such fusion.
    """
    if name not in FUSIONS:
        raise UserError(f"Unknown fusion '{name}'. {did_you_mean(str(name), FUSIONS)}")
    return FUSIONS[name](sil_channels, heatmap_channels)
