"""ResNet9, the backbone of GaitBase."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from opengait_meshgait.networks.blocks import BasicBlock, BasicConv2d, Bottleneck
from opengait_meshgait.networks.registry import BACKBONES, FourCounts, InputChannels

_BLOCKS: dict[str, type[BasicBlock] | type[Bottleneck]] = {"BasicBlock": BasicBlock, "Bottleneck": Bottleneck}


@BACKBONES.register
class ResNet9(nn.Module):
    """A narrow ResNet of four stages (Fan et al., "OpenGait: Revisiting Gait Recognition", CVPR 2023).

    Argument names, numbers and state-dict keys are OpenGait's.

    Args:
        block: ``BasicBlock`` or ``Bottleneck``.
        channels: width of each of the four stages.
        in_channel: channels of the input.
        layers: residual blocks in each stage; 0 leaves the stage out.
        strides: stride of each stage's first block.
        maxpool: halve the map by a 3×3 max pooling before the first stage.
    """

    normalized = (("conv1", "bn1"),)

    def __init__(
        self,
        block: Literal["BasicBlock", "Bottleneck"],
        channels: FourCounts = (32, 64, 128, 256),
        in_channel: InputChannels = 1,
        layers: Annotated[Sequence[Annotated[int, Field(ge=0)]], Field(min_length=4, max_length=4)] = (1, 2, 2, 1),
        strides: FourCounts = (1, 2, 2, 1),
        maxpool: bool = True,
    ):
        super().__init__()
        self.conv1 = BasicConv2d(in_channel, channels[0], 3, 1, 1)
        self.bn1 = nn.BatchNorm2d(channels[0])
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1) if maxpool else nn.Identity()
        Block, width = _BLOCKS[block], channels[0]
        for stage in range(4):
            blocks = []
            for number in range(layers[stage]):
                blocks.append(Block(width, channels[stage], strides[stage] if number == 0 else 1))
                width = channels[stage] * Block.expansion
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))

    def forward(self, x: Tensor) -> Tensor:
        """Frames ``[n, in_channel, h, w]`` to feature maps ``[n, c, h', w']``."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for stage in range(1, 5):
            x = self.get_submodule(f"layer{stage}")(x)
        return x
