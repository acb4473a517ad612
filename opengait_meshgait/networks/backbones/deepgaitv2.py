"""DeepGaitV2: a deep residual network for outdoor gait recognition."""

from collections.abc import Sequence
from typing import Literal

from torch import Tensor

from opengait_meshgait.networks.blocks import frame_convolution, frames_around, residual_stage
from opengait_meshgait.networks.layers import HorizontalPooling, PackSequence
from opengait_meshgait.networks.packing import Packing, Spread
from opengait_meshgait.networks.part_backbone import PooledBackbone
from opengait_meshgait.networks.registry import BACKBONES, FourCounts, InputChannels

_STRIDES = (1, 2, 2, 1)


@BACKBONES.register
class DeepGaitV2(PooledBackbone):
    """Four stages of residual blocks in 2D, 3D or pseudo-3D, then the maximum over time and horizontal strips.

    Fan et al., "Exploring Deep Models for Practical Gait Recognition" (arXiv 2303.03301, 2023). The first stage looks
    at single frames in every mode. No stage strides over time and the convolutions pad it with empty frames, so that
    sequences of any length keep all their frames. Argument names and state-dict keys are OpenGait's.

    The paper's sizes for outdoor sets are the defaults; ``layers: [1, 1, 1, 1]`` is its network for small indoor ones,
    and ``layers: [1, 1, 1, 1], channels: [8, 16, 32, 64]`` trains on a laptop.

    Args:
        bin_num: horizontal strips, one entry a scale; a silhouette of 64 rows gives 16.
        mode: ``2d``, ``3d`` or ``p3d``, the blocks of the last three stages.
        in_channels: channels of the input.
        layers: residual blocks in each of the four stages.
        channels: width of each stage.
    """

    def __init__(
        self,
        bin_num: Sequence[int],
        mode: Literal["2d", "3d", "p3d"] = "p3d",
        in_channels: InputChannels = 1,
        layers: FourCounts = (1, 4, 4, 1),
        channels: FourCounts = (64, 128, 256, 512),
    ):
        super().__init__()
        self.part_bins = tuple(bin_num)
        self.layer0 = frame_convolution(in_channels, channels[0])
        self.layer1 = residual_stage("2d", channels[0], channels[0], layers[0], _STRIDES[0])
        self.layer2 = residual_stage(mode, channels[0], channels[1], layers[1], _STRIDES[1])
        self.layer3 = residual_stage(mode, channels[1], channels[2], layers[2], _STRIDES[2])
        self.layer4 = residual_stage(mode, channels[2], channels[3], layers[3], _STRIDES[3])
        self.reach = frames_around(self)
        self.TP = PackSequence()
        self.HPP = HorizontalPooling(bin_num)

    def pool(self, frames: Tensor, packing: Packing | None, own: slice) -> tuple[tuple[Tensor], Tensor]:
        """``[n, s, in_channels, h, w]`` to the maximum over time of the last stage's maps, and these maps."""
        maps = self.layer1(self.layer0(frames))
        if packing is None or not self.reach:
            maps = self.layer4(self.layer3(self.layer2(maps)))[:, own]
            return (self.TP(maps, packing),), maps
        spread = Spread.of(packing, gap=1)
        maps = maps[:, spread.source]
        for layer in (self.layer2, self.layer3, self.layer4):
            maps = layer(maps, spread.held)
        maps = maps[:, spread.place]
        return (self.TP(maps, packing),), maps

    def parts(self, *pooled: Tensor) -> Tensor:
        """That maximum to ``[n, channels[3], p]``."""
        return self.HPP(*pooled)
