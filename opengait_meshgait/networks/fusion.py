"""How the parts of the silhouette branch and of the heatmap branch become one.

All three work on part features ``[n, c, p]``, channel by channel, with weights that all parts share.
"""

import torch
from torch import Tensor, nn

from opengait_meshgait.common.errors import UserError, did_you_mean


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


FUSIONS: dict[str, type[ConcatFusion] | type[AddFusion] | type[GatedFusion]] = {
    "concat": ConcatFusion,
    "add": AddFusion,
    "gated": GatedFusion,
}


def build_fusion(name: str, sil_channels: int, heatmap_channels: int) -> ConcatFusion | AddFusion | GatedFusion:
    """The fusion called ``name``.

    Raises:
        UserError: there is no such fusion.
    """
    if name not in FUSIONS:
        raise UserError(f"Unknown fusion '{name}'. {did_you_mean(str(name), FUSIONS)}")
    return FUSIONS[name](sil_channels, heatmap_channels)
