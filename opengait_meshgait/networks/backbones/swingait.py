"""Convolutions first, then a transformer over shifted windows of space and time."""

from collections.abc import Sequence
from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.networks.blocks import frame_convolution, frames_around, residual_stage
from opengait_meshgait.networks.layers import HorizontalPooling, PackSequence
from opengait_meshgait.networks.packing import Packing, Spread
from opengait_meshgait.networks.part_backbone import PooledBackbone
from opengait_meshgait.networks.registry import BACKBONES, Count, FourCounts, InputChannels, ThreeCounts, TwoCounts
from opengait_meshgait.networks.windows import SwinBlock, TimeWindows


class _PatchEmbedding(nn.Module):
    """Patches of 2×2 pixels of each frame to tokens."""

    def __init__(self, in_channels: int, channels: int):
        super().__init__()
        self.proj = nn.Conv3d(in_channels, channels, (1, 2, 2), (1, 2, 2))
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """``[n, s, in_channels, 2h, 2w]`` to ``[n, s, h, w, channels]``."""
        return self.norm(self.proj(x.transpose(1, 2)).permute(0, 2, 3, 4, 1))


class _Stage(nn.Module):
    """Blocks whose windows lie straight and shifted by half in turn, one for each rate of ``drop_path``."""

    def __init__(
        self,
        channels: int,
        heads: int,
        window: Sequence[int],
        drop_path: Sequence[float],
        widen: bool,
        recompute: bool,
    ):
        super().__init__()
        self.recompute = recompute
        shifts = [(0, 0, 0), [size // 2 for size in window]]
        self.blocks = nn.Sequential(
            *(SwinBlock(channels, heads, window, shifts[i % 2], rate) for i, rate in enumerate(drop_path))
        )
        self.downsample: nn.Module = nn.Identity()
        if widen:
            self.downsample = nn.Sequential(nn.LayerNorm(channels), nn.Linear(channels, 2 * channels, bias=False))

    def forward(self, x: Tensor, packed: Sequence[TimeWindows | None]) -> Tensor:
        """``[n, s, h, w, channels]`` to as many channels, or twice as many where it widens.

        Args:
            x: sequences of maps.
            packed: windows of packed sequences, straight and shifted.
        """
        for place, block in enumerate(self.blocks):
            if self.recompute and torch.is_grad_enabled():
                x = checkpoint(block, x, packed[place % 2], use_reentrant=False)
            else:
                x = block(x, packed[place % 2])
        return self.downsample(x)


class _Transformer(nn.Module):
    """Two stages over the same tokens; the second is twice as wide."""

    def __init__(
        self,
        in_channels: int,
        embed_dim: int,
        depths: Sequence[int],
        heads: Sequence[int],
        window: Sequence[int],
        drop_path_rate: float,
        recompute: bool,
    ):
        super().__init__()
        blocks = sum(depths)
        rates = [drop_path_rate * place / max(blocks - 1, 1) for place in range(blocks)]
        self.patch_embed = _PatchEmbedding(in_channels, embed_dim)
        self.layers = nn.Sequential(
            _Stage(embed_dim, heads[0], window, rates[: depths[0]], True, recompute),
            _Stage(2 * embed_dim, heads[1], window, rates[depths[0] :], False, recompute),
        )
        self.norm = nn.LayerNorm(2 * embed_dim)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor, packed: Sequence[TimeWindows | None]) -> Tensor:
        """``[n, s, in_channels, 2h, 2w]`` to ``[n, s, 2 * embed_dim, h, w]``; ``packed`` as for the stages."""
        x = self.patch_embed(x)
        for stage in self.layers:
            x = stage(x, packed)
        return self.norm(x).permute(0, 1, 4, 2, 3)


@BACKBONES.register
class SwinGait(PooledBackbone):
    """Two convolutional stages and two transformer stages, then the maximum over time and horizontal strips.

    SwinGait-3D of Fan et al., "Exploring Deep Models for Practical Gait Recognition" (arXiv 2303.03301, 2023): the
    convolutions spare the transformer patches that are all black or all white. Their maps are resampled to a grid
    that the windows divide. Time is padded up to whole windows, and what is padded is masked: sequences have any
    length, and frames see frames only. OpenGait's transformer sees its padding, so the two differ where the number of
    frames is above 3 and no multiple of it. Argument names, where OpenGait has them, and state-dict keys are
    OpenGait's, but for the sixteenth head that it trains and throws away.

    The paper's sizes are the defaults. ``layers: [1, 1, 2, 1], channels: [8, 16], embed_dim: 32, num_heads: [2, 4]``
    trains on a laptop.

    Args:
        bin_num: horizontal strips, one entry a scale; they must divide the rows of ``grid``: 15 in the paper.
        in_channels: channels of the input.
        layers: residual blocks in the first two stages, attention blocks in the last two.
        channels: width of the two convolutional stages.
        embed_dim: width of the third stage; the fourth is twice as wide.
        num_heads: attention heads of the last two stages.
        window_size: of the attention, in frames, rows and columns of the grid.
        grid: rows and columns of tokens in a frame.
        drop_path_rate: rate at which the last block's branches are left out in training; the first block's never are.
        recompute: keep only what goes into each attention block for the backward pass, and compute the rest again:
            less memory, more time.

    Raises:
        UserError: the heads do not divide the widths.
    """

    keeps_its_start = True
    """Code that initialises whole networks must leave these weights alone: attention begins small."""

    def __init__(
        self,
        bin_num: Sequence[int],
        in_channels: InputChannels = 1,
        layers: FourCounts = (1, 4, 4, 2),
        channels: TwoCounts = (64, 128),
        embed_dim: Count = 256,
        num_heads: TwoCounts = (16, 32),
        window_size: ThreeCounts = (3, 3, 5),
        grid: TwoCounts = (15, 10),
        drop_path_rate: Annotated[float, Field(ge=0, lt=1)] = 0.1,
        recompute: bool = False,
    ):
        super().__init__()
        for width, heads in zip((embed_dim, 2 * embed_dim), num_heads):
            if width % heads:
                raise UserError(
                    f"SwinGait cannot share {width} channels among {heads} heads: its transformer stages are embed_dim "
                    f"and 2 * embed_dim wide, {embed_dim} and {2 * embed_dim}. Change embed_dim or num_heads."
                )
        self.part_bins = tuple(bin_num)
        self.grid = tuple(grid)
        self.layer0 = frame_convolution(in_channels, channels[0])
        self.layer1 = residual_stage("2d", channels[0], channels[0], layers[0], 1)
        self.layer2 = residual_stage("p3d", channels[0], channels[1], layers[1], 2)
        # Windows of attention begin at multiples of their size; in one, each frame sees all others.
        self.step = window_size[0]
        self.reach = frames_around(self.layer2) + sum(layers[2:]) * (self.step - 1)
        sizes = (channels[1], embed_dim, layers[2:], num_heads, window_size)
        self.transformer = _Transformer(*sizes, drop_path_rate, recompute)
        self.TP = PackSequence()
        self.HPP = HorizontalPooling(bin_num)

    def pool(self, frames: Tensor, packing: Packing | None, own: slice) -> tuple[tuple[Tensor], Tensor]:
        """``[n, s, in_channels, h, w]`` to the transformer's maximum over time, and the maps below it."""
        x, packed = self.layer1(self.layer0(frames)), (None, None)
        if packing is None:
            x = self.layer2(x)
        else:
            spread = Spread.of(packing, gap=1)
            x = self.layer2(x[:, spread.source], spread.held)[:, spread.place]
            packed = tuple(TimeWindows.of(packing, self.step, shift) for shift in (0, self.step // 2))
        size = [2 * side for side in self.grid]
        resampled = F.interpolate(x.flatten(0, 1), size, mode="bilinear", align_corners=True)
        seen = self.transformer(resampled.unflatten(0, x.shape[:2]), packed)
        return (self.TP(seen[:, own], packing),), x[:, own]

    def parts(self, *pooled: Tensor) -> Tensor:
        """That maximum to ``[n, 2 * embed_dim, p]``."""
        return self.HPP(*pooled)
