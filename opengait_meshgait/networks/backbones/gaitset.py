"""GaitSet: a walk as a set of silhouettes."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from opengait_meshgait.networks.blocks import BasicConv2d, xavier_convolutions
from opengait_meshgait.networks.layers import HorizontalPooling, PackSequence, SetBlockWrapper
from opengait_meshgait.networks.packing import Packing
from opengait_meshgait.networks.part_backbone import PooledBackbone
from opengait_meshgait.networks.registry import BACKBONES, ThreeCounts


def _block(in_channels: int, channels: int, kernel_size: int = 3, halve: bool = True) -> nn.Sequential:
    """Two convolutions that keep the size, and a 2×2 max pooling that does not."""
    layers = [BasicConv2d(in_channels, channels, kernel_size, 1, kernel_size // 2), nn.LeakyReLU(inplace=True)]
    layers += [BasicConv2d(channels, channels, 3, 1, 1), nn.LeakyReLU(inplace=True)]
    return nn.Sequential(*layers, *([nn.MaxPool2d(2)] if halve else []))


@BACKBONES.register
class GaitSet(PooledBackbone):
    """Frame by frame, pooled over the set at three depths (Chao et al., "GaitSet", AAAI 2019 and TPAMI 2022).

    Three blocks see single frames. The maximum over the frames (set pooling) after each of them feeds the multilayer
    global pipeline, which continues with the whole set in one map. Frames may come in any order and number.

    The parts are the strips of the last set pooling, then those of the global pipeline. State-dict keys are OpenGait's.
    The defaults suit CASIA-B; OUMVLP takes ``channels: [64, 128, 256]``, a small test ``[8, 16, 32]``.

    Args:
        bin_num: horizontal strips of either pipeline, one entry a scale.
        channels: width of each of the three blocks.
    """

    def __init__(self, bin_num: Sequence[int] = (16, 8, 4, 2, 1), channels: ThreeCounts = (32, 64, 128)):
        super().__init__()
        first, second, third = channels
        self.part_bins = tuple(bin_num) * 2
        self.set_block1 = SetBlockWrapper(_block(1, first, kernel_size=5))
        self.set_block2 = SetBlockWrapper(_block(first, second))
        self.set_block3 = SetBlockWrapper(_block(second, third, halve=False))
        self.gl_block2 = _block(first, second)
        self.gl_block3 = _block(second, third, halve=False)
        self.set_pooling = PackSequence()
        self.HPP = HorizontalPooling(bin_num)
        xavier_convolutions(self)

    def pool(self, frames: Tensor, packing: Packing | None, own: slice) -> tuple[tuple[Tensor, ...], Tensor]:
        """``[n, s, 1, h, w]`` to the three blocks' maxima over time, and the third block's maps."""
        maps, pooled = frames[:, own], []
        for block in (self.set_block1, self.set_block2, self.set_block3):
            maps = block(maps)
            pooled.append(self.set_pooling(maps, packing))
        return tuple(pooled), maps

    def parts(self, *pooled: Tensor) -> Tensor:
        """Those maxima to ``[n, c, p]``, p twice the sum of ``bin_num``."""
        first, second, third = pooled
        whole = self.gl_block3(self.gl_block2(first) + second)
        return torch.cat(self.HPP(torch.cat([third, whole + third])).chunk(2), dim=2)
