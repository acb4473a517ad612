"""Plain convolutions, focal ones among them, and what is made of such: GaitSet and GaitPart."""

import re
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.networks.blocks import BasicConv2d, xavier_convolutions
from opengait_meshgait.networks.layers import HorizontalPooling, PackSequence, PartBackbone, SetBlockWrapper
from opengait_meshgait.networks.registry import BACKBONES, Count, InputChannels, ThreeCounts


def _block(in_channels: int, channels: int, kernel_size: int = 3, halve: bool = True) -> nn.Sequential:
    """Two convolutions that keep the size, and a 2×2 max pooling that does not."""
    layers = [BasicConv2d(in_channels, channels, kernel_size, 1, kernel_size // 2), nn.LeakyReLU(inplace=True)]
    layers += [BasicConv2d(channels, channels, 3, 1, 1), nn.LeakyReLU(inplace=True)]
    return nn.Sequential(*layers, *([nn.MaxPool2d(2)] if halve else []))


@BACKBONES.register
class GaitSet(PartBackbone):
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

    def look(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """``[n, s, 1, h, w]`` to parts ``[n, c, p]``, p twice the sum of ``bin_num``, and the third block's maps."""
        maps = self.set_block1(frames)
        whole = self.gl_block2(self.set_pooling(maps))
        maps = self.set_block2(maps)
        whole = self.gl_block3(whole + self.set_pooling(maps))
        maps = self.set_block3(maps)
        pooled = self.set_pooling(maps)
        return torch.cat([self.HPP(pooled), self.HPP(whole + pooled)], dim=2), maps


class FocalConv2d(BasicConv2d):
    """A convolution that looks at horizontal strips one by one (Fan et al., "GaitPart", CVPR 2020, §3.2).

    Args:
        halving: the map is cut into ``2 ** halving`` strips of equal height; rows that are left over make one more.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int, padding: int, halving: int):
        super().__init__(in_channels, out_channels, kernel_size, stride, padding)
        self.halving = halving

    def forward(self, x: Tensor) -> Tensor:
        """``[n, in_channels, h, w]`` to ``[n, out_channels, h', w']``."""
        rows = x.shape[2] // 2**self.halving
        if rows == 0:
            raise UserError(
                f"A focal convolution with halving {self.halving} cuts a map of {x.shape[2]} rows into "
                f"{2**self.halving} strips. Lower the last number of 'FC-<channels>-<halving>' in layers_cfg."
            )
        return torch.cat([self.conv(strip) for strip in x.split(rows, dim=2)], dim=2)


@BACKBONES.register
class Plain(nn.Module):
    """Convolutions, each followed by a leaky ReLU, and max poolings.

    Argument names, numbers and state-dict keys are OpenGait's.

    Args:
        layers_cfg: one code a layer: ``BC-64`` a convolution with 64 channels, ``FC-64-2`` a focal one over 2² strips,
            ``M`` a 2×2 max pooling. The first must be a convolution; its kernel is 5×5, all others are 3×3.
        in_channels: channels of the input.

    Attributes:
        out_channels: channels of the feature maps.

    Raises:
        UserError: a code that is none of these.
    """

    def __init__(self, layers_cfg: Sequence[str], in_channels: InputChannels = 1):
        super().__init__()
        layers: list[nn.Module] = []
        for i, code in enumerate(layers_cfg):
            match = re.fullmatch(r"BC-(\d+)|FC-(\d+)-(\d+)|M", str(code))
            if not match or (code == "M" and i == 0):
                raise UserError(
                    f"Plain cannot read '{code}' at place {i + 1} of layers_cfg: "
                    "expected 'BC-<channels>', 'FC-<channels>-<halving>' or, after the first, 'M'."
                )
            basic, focal, halving = match.groups()
            if code == "M":
                layers.append(nn.MaxPool2d(2, 2))
                continue
            kernel, padding = (5, 2) if i == 0 else (3, 1)
            channels = int(basic or focal)
            if basic:
                layers.append(BasicConv2d(in_channels, channels, kernel, 1, padding))
            else:
                layers.append(FocalConv2d(in_channels, channels, kernel, 1, padding, int(halving)))
            layers.append(nn.LeakyReLU(inplace=True))
            in_channels = channels
        self.feature = nn.Sequential(*layers)
        self.out_channels = in_channels

    def forward(self, x: Tensor) -> Tensor:
        """Frames ``[n, in_channels, h, w]`` to feature maps ``[n, c, h', w']``."""
        return self.feature(x)


_LAYERS_CFG = ("BC-32", "BC-32", "M", "FC-64-2", "FC-64-2", "M", "FC-128-3", "FC-128-3")


class MicroMotion(nn.Module):
    """What happens to each part within a few frames, weighed by attention (Fan et al., "GaitPart", CVPR 2020, MTB).

    Each moment is described by mean plus maximum over the frames around it. Two convolutions over the same frames,
    others for each part, say how much each channel counts. Beyond the ends of a sequence there are zeros, as in the
    authors' code, so that even a single frame is a sequence.

    Args:
        channels: c.
        parts_num: p.
        window: frames that are seen together, 3 or 5.
        squeeze: the channels between the two convolutions are c / ``squeeze``.
    """

    def __init__(self, channels: int, parts_num: int, window: int, squeeze: int):
        super().__init__()
        self.window = window
        hidden, rest = channels // squeeze, window - 2
        self.attention = nn.ModuleList(
            nn.Sequential(
                nn.Conv1d(channels, hidden, 3, padding=1, bias=False),
                nn.LeakyReLU(inplace=True),
                nn.Conv1d(hidden, channels, rest, padding=rest // 2, bias=False),
            )
            for _ in range(parts_num)
        )

    def forward(self, x: Tensor) -> Tensor:
        """``[n, c, p, s]`` to the same shape."""
        scores = [attention(part) for attention, part in zip(self.attention, x.unbind(2), strict=True)]
        flat = x.flatten(1, 2)
        side = self.window // 2
        # In 2D, for in 1D its export would be for sequences of one length.
        highest = F.max_pool2d(flat, (1, self.window), 1, (0, side))
        motion = F.avg_pool1d(flat, self.window, 1, side) + highest
        return motion.view_as(x) * torch.stack(scores, dim=2).sigmoid()


@BACKBONES.register
class GaitPart(PartBackbone):
    """Focal convolutions, then micro-motion capture in each strip (Fan et al., "GaitPart", CVPR 2020).

    The motions over three and over five frames are added and their maximum taken over time. Frames must come in their
    order (``sample_type: fixed_ordered``); one is enough.

    The defaults suit CASIA-B; OUMVLP takes ``[BC-32, BC-32, M, BC-64, BC-64, M, FC-128-3, FC-128-3, FC-256-3,
    FC-256-3]``, a small test ``[BC-8, M, FC-16-2, M, FC-32-3]``.

    Args:
        bin_num: horizontal strips, one entry a scale.
        layers_cfg: the frame convolutions, in the codes of :class:`Plain`.
        squeeze: by how much the attention narrows the channels.

    Raises:
        UserError: a code cannot be read, or ``squeeze`` leaves no channel.
    """

    def __init__(self, bin_num: Sequence[int] = (16,), layers_cfg: Sequence[str] = _LAYERS_CFG, squeeze: Count = 4):
        super().__init__()
        self.part_bins = tuple(bin_num)
        plain = Plain(layers_cfg)
        if squeeze > plain.out_channels:
            raise UserError(
                f"GaitPart's squeeze is {squeeze}, but the last layer of layers_cfg has {plain.out_channels} channels: "
                f"expected a whole number from 1 to {plain.out_channels}."
            )
        self.Backbone = SetBlockWrapper(plain)
        self.HPP = SetBlockWrapper(HorizontalPooling(bin_num))
        self.TFA = nn.ModuleList(MicroMotion(plain.out_channels, sum(bin_num), window, squeeze) for window in (3, 5))
        xavier_convolutions(self)

    def look(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """``[n, s, 1, h, w]`` to parts ``[n, c, p]`` and the maps before they are cut into strips."""
        maps = self.Backbone(frames)
        strips = self.HPP(maps).permute(0, 2, 3, 1)
        return sum(template(strips) for template in self.TFA).max(dim=3).values, maps
