"""From one silhouette to a 3D heatmap for every virtual marker."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.networks.blocks import BasicBlock, BasicConv2d
from opengait_meshgait.networks.registry import BACKBONES
from opengait_meshgait.networks.soft_argmax import VolumeExtent

# Standard deviation of the ball around an anchor, in cells: wide enough that neighbouring cells share it and the
# soft-argmax follows the anchor smoothly, narrow enough to tell a limb from its neighbour.
_SPREAD = 1.5


@BACKBONES.register
class HeatmapEstimator(nn.Module):
    """K volumes D×h×w from each silhouette, h and w a quarter of its height and width.

    The logits are a sum of two answers. *Where about*: features pooled over the whole silhouette give each marker an
    anchor in crop space and with it the logarithm of a Gaussian ball. *Where exactly*: a convolution gives evidence
    for every cell. Without the ball, learning starts from a uniform volume, in which a cell's gradient is about
    1 / (D·h·w) of a coordinate's, and crawls; with it, the whole ball moves at once.

    Args:
        markers: K, the number of virtual markers.
        depth: D, cells along the camera's axis.
        channels: width of the encoder at 1/2, 1/4 and 1/8 of the silhouette's resolution.
        depth_range: how far the volume reaches before and behind the pelvis, in crop heights. Walking people's limbs
            reach about 0.36, in long strides 0.4.

    Raises:
        UserError: fewer than one marker or two depth cells, or not three entries in ``channels``.
    """

    keeps_its_start = True
    """Whoever initialises whole networks must leave these weights alone: every marker begins near mid-crop."""

    def __init__(
        self, markers: int = 64, depth: int = 8, channels: Sequence[int] = (32, 64, 128), depth_range: float = 0.4
    ):
        super().__init__()
        if markers < 1 or depth < 2 or depth_range <= 0:
            raise UserError(
                "HeatmapEstimator needs markers ≥ 1, depth ≥ 2 and depth_range > 0, "
                f"and got {markers}, {depth} and {depth_range}."
            )
        if len(channels) != 3:
            raise UserError(f"HeatmapEstimator needs three channels (at 1/2, 1/4, 1/8 size) and got {list(channels)}.")
        half, quarter, eighth = channels
        self.markers, self.depth, self.depth_range = markers, depth, depth_range
        self.stem = nn.Sequential(BasicConv2d(1, half, 3, 2, 1), nn.BatchNorm2d(half), nn.ReLU(inplace=True))
        self.fine = BasicBlock(half, quarter, 2)
        self.coarse = nn.Sequential(BasicBlock(quarter, eighth, 2), BasicBlock(eighth, eighth))
        self.lateral = nn.Conv2d(eighth, quarter, 1)
        self.merge = BasicBlock(quarter, quarter)
        self.evidence = nn.Conv2d(quarter, markers * depth, 1)
        self.anchors = nn.Linear(eighth, markers * 3)
        # Small weights: every marker starts as a ball in the middle of the crop.
        nn.init.normal_(self.evidence.weight, std=0.01)
        nn.init.normal_(self.anchors.weight, std=0.001)
        for layer in (self.evidence, self.anchors):
            nn.init.zeros_(layer.bias)

    def extent(self, height: int, width: int) -> VolumeExtent:
        """The box that the volumes of ``height × width`` px silhouettes span."""
        return VolumeExtent.of_silhouettes(height, width, self.depth_range)

    def forward(self, sils: Tensor) -> Tensor:
        """Silhouettes ``[n, 1, H, W]``, 0…1, to heatmaps ``[n, K, D, ceil(H / 4), ceil(W / 4)]``, fp32.

        Each marker's volume sums to 1.
        """
        fine = self.fine(self.stem(sils))
        coarse = self.coarse(fine)
        context = F.interpolate(self.lateral(coarse), size=fine.shape[-2:])
        evidence = self.evidence(self.merge(F.relu(fine + context)))
        evidence = evidence.to(torch.promote_types(evidence.dtype, torch.float32))
        balls = self._balls(self.anchors(coarse.mean((2, 3))), evidence, self.extent(*sils.shape[-2:]))
        # In place: a volume is the largest tensor of the network, and a convolution does not need its own output. Not
        # in a view of it, whose gradient would be copied as a whole.
        evidence += balls.flatten(1, 2)
        volumes = evidence.unflatten(1, (self.markers, self.depth))
        return volumes.flatten(2).softmax(-1).view_as(volumes)

    def _balls(self, anchors: Tensor, evidence: Tensor, extent: VolumeExtent) -> Tensor:
        """Log-densities of Gaussian balls at ``anchors [n, 3K]``.

        ``[n, K, D, h, w]``, to be added to ``evidence [n, K·D, h, w]``.
        """
        anchors = anchors.unflatten(1, (self.markers, 3))
        volumes = evidence.unflatten(1, (self.markers, self.depth))
        middle = (0.0, 0.5, 0.0)
        x, y, z = (_log_ball(axis, middle[i] + anchors[..., i, None]) for i, axis in enumerate(extent.axes(volumes)))
        return z[..., None, None] + (y[..., :, None] + x[..., None, :])[:, :, None]


def _log_ball(axis: Tensor, centre: Tensor) -> Tensor:
    """Logarithm of a Gaussian around ``centre [..., 1]``, up to a constant, at the points of ``axis [m]``."""
    spread = _SPREAD * (axis[1] - axis[0])
    # A ball that left the volume would have no gradient to come back by: it is held at the rim, where it still has
    # one, and the gradient passes the clamp.
    held = centre.clamp(axis[0] - spread, axis[-1] + spread)
    return -0.5 * ((axis - (centre + (held - centre).detach())) / spread) ** 2
