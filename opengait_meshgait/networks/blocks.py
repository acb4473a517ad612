"""Convolution blocks that the backbones and the heatmap branch share."""

from torch import Tensor, nn


class BasicConv2d(nn.Module):
    """A convolution without bias, under the state-dict key that OpenGait gives it (``conv.weight``)."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int, padding: int):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """``[n, in_channels, h, w]`` to ``[n, out_channels, h', w']``."""
        return self.conv(x)


def _shortcut(in_channels: int, out_channels: int, stride: int) -> nn.Sequential | None:
    """The 1×1 projection that a residual block needs when its output has another shape than its input."""
    if stride == 1 and in_channels == out_channels:
        return None
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels))


class BasicBlock(nn.Module):
    """Two 3×3 convolutions around a shortcut (He et al., "Deep Residual Learning", CVPR 2016, Fig. 5 left).

    Args:
        in_channels: channels that come in.
        channels: width of the block; it gives ``channels * expansion``.
        stride: of the first convolution.
    """

    expansion = 1

    def __init__(self, in_channels: int, channels: int, stride: int = 1):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(in_channels, channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        """``[n, in_channels, h, w]`` to ``[n, channels, ceil(h / stride), ceil(w / stride)]``."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """1×1, 3×3 and 1×1 convolutions around a shortcut (He et al., CVPR 2016, Fig. 5 right).

    The stride sits on the 3×3 convolution, as in torchvision. Arguments as :class:`BasicBlock`.
    """

    expansion = 4

    def __init__(self, in_channels: int, channels: int, stride: int = 1):
        super().__init__()
        wide = channels * self.expansion
        self.conv1 = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, wide, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(wide)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(in_channels, wide, stride)

    def forward(self, x: Tensor) -> Tensor:
        """``[n, in_channels, h, w]`` to ``[n, 4 * channels, ceil(h / stride), ceil(w / stride)]``."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


def xavier_convolutions(net: nn.Module) -> None:
    """Initialise a network's convolutions as GaitSet, GaitPart and GaitGL do (Glorot and Bengio, AISTATS 2010).

    They have no batch normalisation, and PyTorch's own initialisation would let the signal fade from layer to layer.
    """
    for module in net.modules():
        if isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Conv3d)):
            nn.init.xavier_uniform_(module.weight)
