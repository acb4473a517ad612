"""From silhouettes to a 3D heatmap for every virtual marker of every frame."""

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from opengait_meshgait.networks.blocks import BasicBlock, BasicConv2d
from opengait_meshgait.networks.chunks import in_chunks
from opengait_meshgait.networks.packing import Lengths, each_frame, max_over_time, mean_over_time, neighbours
from opengait_meshgait.networks.registry import ESTIMATORS, Count, ThreeCounts
from opengait_meshgait.networks.soft_argmax import VolumeExtent

# Standard deviation of the ball around an anchor, in cells: wide enough that neighbouring cells share it and the
# soft-argmax follows the anchor smoothly, narrow enough to tell a limb from its neighbour.
_SPREAD = 1.5
# How far outside of the volume an anchor may lie, in spreads. The mean of a ball that the rim cuts off lies within:
# from here it comes as close as an eighth of a cell, so that heads and feet, which touch the rim, can be reached.
_BEYOND = 3
# Rows and columns to which the coarsest features are pooled before one vector is made of them: enough to tell where
# in the crop something is, few enough for a linear layer.
_LAYOUT = (4, 3)
_MIDDLE = (0.0, 0.5, 0.0)  # of the crop


class TimeConvolution(nn.Module):
    """A residual convolution over three frames of each sequence; it begins as the identity.

    Args:
        channels: of the frames' vectors.
        dilation: how many frames the outer two are from the middle one.
    """

    def __init__(self, channels: int, dilation: int):
        super().__init__()
        self.dilation = dilation
        self.look = nn.Linear(3 * channels, channels)
        self.add = nn.Linear(channels, channels)
        nn.init.zeros_(self.add.weight)
        nn.init.zeros_(self.add.bias)

    def forward(self, x: Tensor, seqL: Lengths = None) -> Tensor:
        """``[n, s, c]``, or packed ``[1, sum of lengths, c]``, to the same shape."""
        around = neighbours(x, self.dilation, seqL).flatten(2)
        return x + self.add(F.relu(self.look(around)))


@ESTIMATORS.register
class HeatmapEstimator(nn.Module):
    """K volumes D×h×w for each frame, from its silhouette or from what the silhouette backbone made of it.

    The logits are a sum of two answers. *Where about*: a vector that describes the whole frame gives each marker an
    anchor in crop space and with it the logarithm of a Gaussian ball. *Where exactly*: a convolution gives evidence for
    every cell. Without the ball, learning starts from a uniform volume, in which a cell's gradient is about
    1 / (D·h·w) of a coordinate's, and crawls; with it, the whole ball moves at once.

    Both see the sequence as well: beside a frame's vector stand the mean and the maximum of those of all its frames. A
    single silhouette does not tell front from back or how broad a body is that is seen from the side; a sequence does.
    With ``dilations`` the frames' vectors see their neighbours in time before: whether a foot moves towards the camera
    or away from it is in the order of the frames alone. Then training needs ordered frames, see ``sample_type``.

    Args:
        markers: K, the number of virtual markers.
        depth: D, cells along the camera's axis.
        channels: width of the encoder at 1/2, 1/4 and 1/8 of the silhouettes' resolution.
        depth_range: how far the volume reaches before and behind the pelvis, in crop heights. Walking people's limbs
            reach about 0.36, in long strides 0.4.
        shrink: what is read is averaged over squares of so many pixels first. 2 makes a quarter of the cells.
        reads: ``silhouettes``, by an encoder of its own, whose volumes have a quarter of their height and width; or
            ``backbone``, the backbone's feature maps, at their resolution: 3D supervision teaches the backbone too.
        dilations: convolutions over time, one after the other, each over three frames that are so many apart; none
            makes the order of the frames meaningless.
        frozen: keep weights and statistics as they begin: 3D that was learned before, see ``restore_hint``.
        in_channels: of what is read; the network knows it.
    """

    filled_in = ("in_channels",)
    keeps_its_start = True
    """Whoever initialises whole networks must leave these weights alone: every marker begins near mid-crop."""

    def __init__(
        self,
        markers: Count = 64,
        depth: Annotated[int, Field(ge=2)] = 8,
        channels: ThreeCounts = (32, 64, 128),
        depth_range: Annotated[float, Field(gt=0)] = 0.4,
        shrink: Count = 1,
        reads: Literal["silhouettes", "backbone"] = "silhouettes",
        dilations: Sequence[Count] = (),
        frozen: bool = False,
        in_channels: int = 1,
    ):
        super().__init__()
        half, quarter, eighth = channels
        width = 2 * eighth
        self.markers, self.depth, self.depth_range = markers, depth, depth_range
        self.shrink, self.reads, self.frozen = shrink, reads, frozen
        if reads == "silhouettes":
            stem = BasicConv2d(in_channels, half, 3, 2, 1), nn.BatchNorm2d(half), nn.ReLU(inplace=True)
            self.fine: nn.Module = nn.Sequential(*stem, BasicBlock(half, quarter, 2))
        else:
            self.fine = BasicBlock(in_channels, quarter)
        self.coarse = nn.Sequential(BasicBlock(quarter, eighth, 2), BasicBlock(eighth, eighth))
        cells = _LAYOUT[0] * _LAYOUT[1]
        self.describe = nn.Sequential(
            nn.Linear(cells * eighth, width, bias=False), nn.BatchNorm1d(width), nn.ReLU(inplace=True)
        )
        self.times = nn.ModuleList(TimeConvolution(width, dilation) for dilation in dilations)
        self.relate = nn.Sequential(nn.Linear(3 * width, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        self.lateral = nn.Conv2d(eighth, quarter, 1)
        self.spread = nn.Linear(width, quarter)
        self.merge = BasicBlock(quarter, quarter)
        self.evidence = nn.Conv2d(quarter, markers * depth, 1)
        self.anchors = nn.Linear(width, markers * 3)
        # Small weights: every marker starts as a ball in the middle of the crop.
        nn.init.normal_(self.evidence.weight, std=0.01)
        nn.init.normal_(self.anchors.weight, std=0.001)
        for layer in (self.evidence, self.anchors):
            nn.init.zeros_(layer.bias)
        self.requires_grad_(not frozen)

    def train(self, mode: bool = True) -> "HeatmapEstimator":
        """As of any module, but what is ``frozen`` always evaluates."""
        return super().train(mode and not self.frozen)

    def extent(self, height: int, width: int) -> VolumeExtent:
        """The box that the volumes of ``height × width`` px span, be they silhouettes or maps of the same shape."""
        return VolumeExtent.of_silhouettes(height, width, self.depth_range)

    @torch.no_grad()
    def start_at(self, points: Tensor) -> None:
        """Let every marker begin at its place in ``points [K, 3]``, crop space, rather than in the middle.

        Where people stand upright these places are known; to find them by gradient costs hundreds of iterations.
        """
        self.anchors.bias.copy_((points - points.new_tensor(_MIDDLE)).flatten())

    def forward(self, frames: Tensor, seqL: Lengths = None) -> Tensor:
        """Frames to heatmaps.

        Args:
            frames: silhouettes ``[n, s, 1, H, W]``, 0…1, or feature maps ``[n, s, c, H, W]``; with ``seqL``, packed
                ``[1, sum of lengths, ...]``.
            seqL: int ``[1, n]``, lengths of the packed sequences.

        Returns:
            ``[n, s, K, D, h, w]``, fp32, each marker's volume summing to 1. h = ceil(H / shrink), of silhouettes a
            quarter of that; w alike.
        """
        fine, coarse, described = self.encode(frames)
        looked = (each.flatten(0, 1) for each in (fine, coarse, self.know_sequence(described, seqL)))
        return self.draw(self.extent(*frames.shape[-2:]), *looked).unflatten(0, frames.shape[:2])

    def encode(self, frames: Tensor) -> tuple[Tensor, ...]:
        """What each frame tells by itself.

        Args:
            frames: as of :meth:`forward`.

        Returns:
            Fine maps ``[n, s, c, h, w]``, coarse maps ``[n, s, c', h / 2, w / 2]`` and vectors ``[n, s, c'']``.
        """
        found = in_chunks(self._encode, frames.flatten(0, 1), whole=self.training)
        return tuple(each.unflatten(0, frames.shape[:2]) for each in found)

    def know_sequence(self, described: Tensor, seqL: Lengths = None) -> Tensor:
        """The vectors of all frames of sequences, ``[n, s, c'']`` or packed, to others that know of each other."""
        for convolution in self.times:
            described = convolution(described, seqL)
        whole = torch.cat([mean_over_time(described, seqL), max_over_time(described, seqL)], dim=-1)
        return self.relate(torch.cat([described, each_frame(whole, described, seqL)], dim=-1))

    def draw(self, extent: VolumeExtent, fine: Tensor, coarse: Tensor, related: Tensor) -> Tensor:
        """The volumes ``[m, K, D, h, w]``, which span ``extent``, of m frames.

        Args:
            extent: the box that they span.
            fine, coarse: maps of these frames, by :meth:`encode`, ``[m, ...]``.
            related: their vectors, by :meth:`know_sequence`, ``[m, c'']``.
        """
        context = F.interpolate(self.lateral(coarse), size=fine.shape[-2:]) + self.spread(related)[..., None, None]
        with torch.autocast(related.device.type, enabled=False):
            # 16 bits would round a place in the crop to half a millimetre.
            anchors = self.anchors(related.to(self.anchors.weight.dtype))
        maps = self.merge(F.relu(fine + context))
        volumes = self._logits(maps, anchors, extent).flatten(2).softmax(-1)
        return volumes.unflatten(2, (self.depth, *maps.shape[-2:]))

    def _encode(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Fine and coarse maps of frames ``[m, c, H, W]``, and a vector for each of them alone."""
        if self.shrink > 1:
            x = F.avg_pool2d(x, self.shrink, ceil_mode=True, count_include_pad=False)
        fine = self.fine(x)
        coarse = self.coarse(fine)
        return fine, coarse, self.describe(F.adaptive_avg_pool2d(coarse, _LAYOUT).flatten(1))

    def _logits(self, maps: Tensor, anchors: Tensor, extent: VolumeExtent) -> Tensor:
        """Evidence plus the logarithms of Gaussian balls, up to a constant in each volume, which a softmax takes away.

        ``-(p - a)² / 2`` is ``a·p - p² / 2`` up to such a constant: products of what a marker has and what a cell has.
        So one product of matrices makes the volumes, the largest tensors of the network, and no second one of their
        size. In fp32 or better under autocast too: its terms are larger than their sum.

        Args:
            maps: ``[m, c, h, w]``, where the evidence is.
            anchors: ``[m, 3K]``, in crop space, from the middle of the crop.
            extent: the box that the volumes span.

        Returns:
            ``[m, K, D, h, w]``.
        """
        (height, width), depth = maps.shape[-2:], self.depth
        with torch.autocast(maps.device.type, enabled=False):
            maps = maps.to(torch.promote_types(maps.dtype, torch.float32))
            anchors = anchors.to(maps.dtype).unflatten(1, (self.markers, 3))
            x, left = _in_spreads(anchors[..., 0], width, 2 * extent.half_width)
            y, down = _in_spreads(anchors[..., 1], height, 1.0)
            z, back = _in_spreads(anchors[..., 2], depth, 2 * extent.depth_range)
            # What a cell of the plane has, and what a marker's slice of the volume multiplies it with.
            plane = torch.stack([x.expand(height, -1), y[:, None].expand(-1, width)])
            plane = torch.cat([plane, -plane.square().sum(0, keepdim=True) / 2, torch.ones_like(plane[:1])])
            cells = torch.cat([maps, plane.expand(maps.shape[0], -1, -1, -1)], dim=1)
            slices = back[..., None] * z - z.square() / 2 + self.evidence.bias.to(z).view(-1, depth)
            balls = torch.stack([left, down, torch.ones_like(left)], dim=-1)[:, :, None].expand(-1, -1, depth, -1)
            weights = self.evidence.weight.to(z).view(self.markers, depth, -1).expand(maps.shape[0], -1, -1, -1)
            factors = torch.cat([weights, balls, slices[..., None]], dim=-1)
            return torch.bmm(factors.flatten(1, 2), cells.flatten(2)).view(maps.shape[0], -1, depth, height, width)


def _in_spreads(anchors: Tensor, cells: int, length: float) -> tuple[Tensor, Tensor]:
    """The centres ``[cells]`` of cells along an axis of this length, and anchors, held near them, from the middle.

    The unit is the standard deviation of a ball.
    """
    centres = torch.arange(cells, device=anchors.device, dtype=anchors.dtype).sub((cells - 1) / 2).div(_SPREAD)
    limit = (cells - 1) / 2 / _SPREAD + _BEYOND
    return centres, _hold(anchors / (_SPREAD * length / (cells - 1)), -limit, limit)


def _hold(centre: Tensor, low: float, high: float) -> Tensor:
    """``centre`` between ``low`` and ``high``, with a gradient that brings back what lies outside.

    Through a plain clamp nothing would come back. A gradient that passes the clamp both ways is worse: a target at the
    rim, which the mean of a ball never quite reaches, would drive its anchor further out for ever.
    """
    held = centre.clamp(low, high)
    if not centre.requires_grad:
        return held
    beyond = (centre - held).detach()
    inward = centre.view_as(centre)
    inward.register_hook(lambda gradient: torch.where(gradient * beyond < 0, 0.0, gradient))
    return inward - beyond
