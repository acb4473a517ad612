"""Convolution blocks that the backbones and the heatmap branch share: over single frames, and over whole sequences.

Frames are ``[n, c, h, w]``; sequences are ``[n, s, c, h, w]`` between all blocks.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from opengait_meshgait.networks.layers import SetBlockWrapper
from opengait_meshgait.networks.packing import keep


class BasicConv2d(nn.Module):
    """A convolution without bias, under the state-dict key that OpenGait gives it (``conv.weight``)."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int, padding: int):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """``[n, in_channels, h, w]`` to ``[n, out_channels, h', w']``."""
        return self.conv(x)


def _convolution(
    dimensions: int, in_channels: int, channels: int, kernel: int, stride: int = 1
) -> tuple[nn.Module, nn.Module]:
    """A convolution over frames (2 dimensions) or sequences (3), with a stride over rows and columns; and its norm."""
    if dimensions == 2:
        return nn.Conv2d(in_channels, channels, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(channels)
    strides = (1, stride, stride)
    return nn.Conv3d(in_channels, channels, kernel, strides, kernel // 2, bias=False), nn.BatchNorm3d(channels)


class StridedProjection(nn.Conv2d):
    """A 1×1 convolution of every ``step``-th row and column.

    Not a convolution with that stride: where channels lie last and are fewer than a vector register holds, the gradient
    of its weights corrupts the memory of a CPU (PyTorch 2.13 with oneDNN 3.12).
    """

    def __init__(self, in_channels: int, channels: int, step: int):
        super().__init__(in_channels, channels, 1, bias=False)
        self.step = step

    def forward(self, x: Tensor) -> Tensor:
        """``[n, in_channels, h, w]`` to ``[n, channels, ceil(h / step), ceil(w / step)]``."""
        return super().forward(x[..., :: self.step, :: self.step])


def _shortcut(dimensions: int, in_channels: int, channels: int, stride: int) -> nn.Module:
    """What is added to a block's output: its input, through a 1×1 projection where the shapes differ."""
    if stride == 1 and in_channels == channels:
        return nn.Identity()
    if dimensions == 2:
        return nn.Sequential(StridedProjection(in_channels, channels, stride), nn.BatchNorm2d(channels))
    return nn.Sequential(*_convolution(dimensions, in_channels, channels, 1, stride))


class BasicBlock(nn.Module):
    """Two 3×3 convolutions around a shortcut (He et al., "Deep Residual Learning", CVPR 2016, Fig. 5 left).

    Args:
        in_channels: channels that come in.
        channels: width of the block; it gives ``channels * expansion``.
        stride: of the first convolution.
    """

    expansion, dimensions = 1, 2
    normalized = (("conv1", "bn1"), ("conv2", "bn2"))
    """Convolutions, and the batch normalisation that follows each at once."""

    def __init__(self, in_channels: int, channels: int, stride: int = 1):
        super().__init__()
        self.conv1, self.bn1 = _convolution(self.dimensions, in_channels, channels, 3, stride)
        self.conv2, self.bn2 = _convolution(self.dimensions, channels, channels, 3)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(self.dimensions, in_channels, channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        """``[n, in_channels, h, w]`` to ``[n, channels, ceil(h / stride), ceil(w / stride)]``."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return self.relu(y + self.downsample(x))


class Bottleneck(nn.Module):
    """1×1, 3×3 and 1×1 convolutions around a shortcut (He et al., CVPR 2016, Fig. 5 right).

    The stride sits on the 3×3 convolution, as in torchvision. Arguments as :class:`BasicBlock`.
    """

    expansion = 4
    normalized = (*BasicBlock.normalized, ("conv3", "bn3"))

    def __init__(self, in_channels: int, channels: int, stride: int = 1):
        super().__init__()
        wide = channels * self.expansion
        self.conv1, self.bn1 = _convolution(2, in_channels, channels, 1)
        self.conv2, self.bn2 = _convolution(2, channels, channels, 3, stride)
        self.conv3, self.bn3 = _convolution(2, channels, wide, 1)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(2, in_channels, wide, stride)

    def forward(self, x: Tensor) -> Tensor:
        """``[n, in_channels, h, w]`` to ``[n, 4 * channels, ceil(h / stride), ceil(w / stride)]``."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return self.relu(y + self.downsample(x))


class BasicBlock3D(BasicBlock):
    """:class:`BasicBlock` with 3×3×3 convolutions over sequences; every frame is kept."""

    dimensions = 3

    def forward(self, x: Tensor, held: Tensor | None = None) -> Tensor:
        """``[n, s, in_channels, h, w]`` to ``[n, s, channels, ceil(h / stride), ceil(w / stride)]``.

        Args:
            x: the sequences.
            held: bool ``[s]``, false for places that hold no frame; None: all do.
        """
        x = keep(x, held, 1).transpose(1, 2)
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(keep(y, held, 2)))
        return self.relu(y + self.downsample(x)).transpose(1, 2)


class BasicBlockP3D(nn.Module):
    """A residual block that looks at the plane and at time in turn (Qiu et al., "Pseudo-3D", ICCV 2017).

    Between the two 3×3 convolutions over single frames, one over three frames is added to what passes through.
    Arguments as :class:`BasicBlock`.
    """

    normalized = (("shortcut3d", "sbn"),)

    def __init__(self, in_channels: int, channels: int, stride: int = 1):
        super().__init__()
        self.conv1 = frame_convolution(in_channels, channels, stride)
        self.shortcut3d = nn.Conv3d(channels, channels, (3, 1, 1), 1, (1, 0, 0), bias=False)
        self.sbn = nn.BatchNorm3d(channels)
        self.conv2 = SetBlockWrapper(nn.Sequential(*_convolution(2, channels, channels, 3)))
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(3, in_channels, channels, stride)

    def forward(self, x: Tensor, held: Tensor | None = None) -> Tensor:
        """As :class:`BasicBlock3D`."""
        y = self.conv1(x)
        y = self.relu(y + self.sbn(self.shortcut3d(keep(y, held, 1).transpose(1, 2))).transpose(1, 2))
        return self.relu(self.conv2(y) + self.downsample(x.transpose(1, 2)).transpose(1, 2))


RESIDUAL_BLOCKS = {"2d": BasicBlock, "3d": BasicBlock3D, "p3d": BasicBlockP3D}
"""How far a residual stage looks: single frames, all directions at once, or the plane and time in turn."""


def frame_convolution(in_channels: int, channels: int, stride: int = 1) -> SetBlockWrapper:
    """A 3×3 convolution over single frames, normalised and rectified."""
    return SetBlockWrapper(nn.Sequential(*_convolution(2, in_channels, channels, 3, stride), nn.ReLU(inplace=True)))


def residual_stage(mode: str, in_channels: int, channels: int, blocks: int, stride: int) -> nn.Module:
    """``blocks`` residual blocks of a kind of :data:`RESIDUAL_BLOCKS`, the first with the stride.

    Maps ``[n, s, in_channels, h, w]`` to ``[n, s, channels, ceil(h / stride), ceil(w / stride)]``.
    """
    block = RESIDUAL_BLOCKS[mode]
    all_blocks = [block(in_channels, channels, stride), *(block(channels, channels) for _ in range(blocks - 1))]
    return SetBlockWrapper(nn.Sequential(*all_blocks)) if mode == "2d" else TimeStage(*all_blocks)


class TimeStage(nn.Sequential):
    """Blocks over whole sequences, one after the other."""

    def forward(self, x: Tensor, held: Tensor | None = None) -> Tensor:
        """As :class:`BasicBlock3D`."""
        for block in self:
            x = block(x, held)
        return x


def frames_around(module: nn.Module) -> int:
    """How many frames before and behind a frame a module sees, whose convolutions over time follow one another."""
    return sum(layer.kernel_size[0] // 2 for layer in module.modules() if isinstance(layer, nn.Conv3d))


def by_strips(convolution: Callable[[Tensor], Tensor], x: Tensor, rows: int) -> Tensor:
    """A convolution, of stride 1 and padded, over strips of ``x [n, c, ..., h, w]`` that do not see each other.

    Args:
        convolution: for single maps, or for sequences of them.
        x: maps.
        rows: of a strip; those that are left over make one more.
    """
    height = x.shape[-2]
    strips = x[..., : height - height % rows, :].unflatten(-2, (-1, rows)).movedim(-3, 1)
    made = convolution(strips.flatten(0, 1)).unflatten(0, strips.shape[:2]).movedim(1, -3).flatten(-3, -2)
    return torch.cat([made, convolution(x[..., -(height % rows) :, :])], dim=-2) if height % rows else made


def xavier_convolutions(net: nn.Module) -> None:
    """Initialise a network's convolutions as GaitSet, GaitPart and GaitGL do (Glorot and Bengio, AISTATS 2010).

    They have no batch normalisation, and PyTorch's own initialisation would let the signal fade from layer to layer.
    """
    for module in net.modules():
        if isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Conv3d)):
            nn.init.xavier_uniform_(module.weight)
