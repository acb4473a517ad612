"""Plain convolutions, focal ones among them."""

import re
from collections.abc import Sequence

from torch import Tensor, nn

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.networks.blocks import BasicConv2d, by_strips
from opengait_meshgait.networks.registry import BACKBONES, InputChannels


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
        return by_strips(self.conv, x, rows)


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
