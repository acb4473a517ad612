"""GaitGL: 3D convolutions over the whole body and over its parts."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.networks.blocks import by_strips, xavier_convolutions
from opengait_meshgait.networks.layers import HorizontalPooling
from opengait_meshgait.networks.packing import Packing, keep, max_over_time
from opengait_meshgait.networks.part_backbone import PooledBackbone
from opengait_meshgait.networks.registry import BACKBONES, Count

# Frames that the local temporal aggregation makes one of.
CLIP = 3


class GlobalLocalConv3d(nn.Module):
    """A 3×3×3 convolution over whole frames beside one over their horizontal strips (Lin et al., ICCV 2021, GLConv).

    Args:
        in_channels, out_channels: c and c'.
        halving: the frames are cut into ``2 ** halving`` strips of equal height; rows left over make one more.
        stack: put the two maps one below the other (GLConvB) instead of adding them (GLConvA).
    """

    def __init__(self, in_channels: int, out_channels: int, halving: int, stack: bool = False):
        super().__init__()
        self.halving = halving
        self.stack = stack
        self.global_conv3d = nn.Conv3d(in_channels, out_channels, 3, padding=1, bias=False)
        self.local_conv3d = nn.Conv3d(in_channels, out_channels, 3, padding=1, bias=False)

    def forward(self, x: Tensor, held: Tensor | None = None) -> Tensor:
        """``[n, c, s, h, w]`` to ``[n, c', s, h, w]``, or ``[n, c', s, 2h, w]`` stacked.

        Args:
            x: the sequences.
            held: bool ``[s]``, false for places that hold no clip; None: all do.

        Raises:
            UserError: there are fewer rows than strips.
        """
        rows = x.shape[3] // 2**self.halving
        if rows == 0:
            raise UserError(
                f"GaitGL's halving {self.halving} cuts a map of {x.shape[3]} rows into {2**self.halving} strips: "
                "lower it."
            )
        x = keep(x, held, 2)
        whole = self.global_conv3d(x)
        local = by_strips(self.local_conv3d, x, rows)
        if self.stack:
            return F.leaky_relu(torch.cat([whole, local], dim=3))
        return F.leaky_relu(whole) + F.leaky_relu(local)


class GeMPooling(HorizontalPooling):
    """Generalised mean over horizontal strips (Radenović et al., TPAMI 2019): p = 1 is the mean, p → ∞ the maximum.

    Args:
        bin_num: into how many strips to cut, once for each entry.
        p: the exponent to begin with; it is learnt.
    """

    def __init__(self, bin_num: Sequence[int], p: float = 6.5):
        super().__init__(bin_num)
        self.p = nn.Parameter(torch.tensor([float(p)]))

    def pool(self, strips: Sequence[Tensor]) -> Tensor:
        """As of :class:`HorizontalPooling`; below 1e-6 all pixels count as 1e-6."""
        return torch.cat([self._mean(pixels) for pixels in strips], dim=-1)

    def _mean(self, strips: Tensor) -> Tensor:
        strips = strips.clamp(min=1e-6)
        # Powers of the pixels themselves leave fp32 where the largest is 1e-6. The scale cancels, so it needs no
        # gradient of its own.
        scale = strips.detach().amax(-1, keepdim=True)
        return (strips / scale).pow(self.p).mean(-1).pow(1 / self.p) * scale.squeeze(-1)


@BACKBONES.register
class GaitGL(PooledBackbone):
    """Global and local features in 3D (Lin et al., "Gait Recognition via Effective Global-Local Feature Representation
    and Local Temporal Aggregation", ICCV 2021).

    3×3×3 convolutions, one frame out of every three (local temporal aggregation), three blocks of global-local
    convolutions, maximum over time, generalised mean over strips. The last convolution stacks its global map on its
    local one, so the first half of each scale's strips is the body by the one, the second half by the other.

    Frames must come in their order (``sample_type: fixed_ordered``); one or two are repeated to fill the three that
    are aggregated, as in the authors' code. Of longer sequences, up to two frames at the end are left out.

    The defaults suit CASIA-B and Gait3D; OUMVLP and GREW take ``channels: [32, 64, 128, 256], layers: 2, halving: 1``,
    a small test ``channels: [4, 8, 8]``.

    Args:
        bin_num: strips of the two stacked maps (twice as many as there are of the body), one entry a scale.
        channels: width before the blocks, then of each; the third block's may be left out where it is the second's.
        layers: convolutions before the aggregation, and in each block.
        halving: the local convolutions see ``2 ** halving`` strips.
    """

    step = CLIP

    def __init__(
        self,
        bin_num: Sequence[int] = (64,),
        channels: Annotated[Sequence[Count], Field(min_length=3, max_length=4)] = (32, 64, 128),
        layers: Count = 1,
        halving: Annotated[int, Field(ge=0)] = 3,
    ):
        super().__init__()
        # A strip that is all there is holds both maps.
        self.part_bins = tuple(bins for b in bin_num for bins in ((b // 2, b // 2) if b > 1 else (b,)))
        first, second, third, fourth = (*channels, channels[-1])[:4]
        self.conv3d = nn.Sequential()
        for before, after in pairwise([1] + [first] * layers):
            self.conv3d.append(nn.Conv3d(before, after, 3, padding=1, bias=False))
            self.conv3d.append(nn.LeakyReLU(inplace=True))
        self.LTA = nn.Sequential(
            nn.Conv3d(first, first, (CLIP, 1, 1), stride=(CLIP, 1, 1), bias=False), nn.LeakyReLU(inplace=True)
        )
        self.GLConvA0 = _block(first, second, layers, halving)
        self.MaxPool0 = nn.MaxPool3d((1, 2, 2))
        self.GLConvA1 = _block(second, third, layers, halving)
        self.GLConvB2 = _block(third, fourth, layers, halving, stack=True)
        # Of frames before the aggregation, of clips in the three blocks behind it.
        self.reach = layers + 3 * layers * CLIP
        self.HPP = GeMPooling(bin_num)
        xavier_convolutions(self)

    def pool(self, frames: Tensor, packing: Packing | None, own: slice) -> tuple[tuple[Tensor], None]:
        """``[n, s, 1, h, w]`` to the maximum over time of both maps; all maps mix frames."""
        clips = None if packing is None else _Clips.of(packing)
        if clips is not None:
            frames = frames[:, clips.source]
        elif frames.shape[1] < CLIP:
            frames = frames.repeat(1, -(-CLIP // frames.shape[1]), 1, 1, 1)
        held, whole = (None, None) if clips is None else (clips.held, clips.whole)
        x = frames.transpose(1, 2)
        for layer in self.conv3d:
            x = layer(keep(x, held, 2) if isinstance(layer, nn.Conv3d) else x)
        x = self.MaxPool0(self.GLConvA0(self.LTA(x), whole))
        maps = self.GLConvB2(self.GLConvA1(x, whole), whole)
        if clips is None:
            of_clips = slice(*(place and place // CLIP for place in (own.start, own.stop)))
            return (max_over_time(maps.transpose(1, 2)[:, of_clips]),), None
        maps = maps.masked_fill(~clips.whole[:, None, None], -torch.inf).transpose(1, 2)
        return (max_over_time(maps, clips.packing),), None

    def parts(self, *pooled: Tensor) -> Tensor:
        """That maximum to ``[n, c, p]``."""
        return self.HPP(*pooled)


@dataclass(frozen=True)
class _Clips:
    """Packed sequences cut into clips, with an empty one behind each sequence.

    Attributes:
        source: the frame in each place, int64 ``[3 · clips]``.
        held: whether there is one, bool ``[3 · clips]``.
        whole: whether a clip is aggregated, bool ``[clips]``.
        packing: of the clips.
    """

    source: Tensor
    held: Tensor
    whole: Tensor
    packing: Packing

    @classmethod
    def of(cls, packing: Packing) -> "_Clips":
        lengths = packing.lengths
        whole = (lengths // CLIP).clamp(min=1)
        # As many as may be needed: sequences of one frame or two make a clip too.
        total = (len(packing.sequence) + (CLIP - 1) * len(lengths)) // CLIP + len(lengths)
        clips = Packing.of_lengths(whole + 1, total)
        owner = clips.sequence.repeat_interleave(CLIP)
        within = torch.arange(CLIP * total, device=owner.device) - CLIP * clips.start[owner]
        length = lengths[owner]
        held = within < length * ((CLIP + length - 1) // length)
        return cls(
            packing.start[owner] + within % length, held, clips.place - clips.first < whole[clips.sequence], clips
        )


class _Blocks(nn.Sequential):
    """Global-local convolutions in a row."""

    def forward(self, x: Tensor, held: Tensor | None = None) -> Tensor:
        """As :class:`GlobalLocalConv3d`."""
        for block in self:
            x = block(x, held)
        return x


def _block(in_channels: int, channels: int, layers: int, halving: int, stack: bool = False) -> _Blocks:
    """Global-local convolutions in a row, of which the last may stack its maps."""
    widths = [in_channels] + [channels] * layers
    last = len(widths) - 2
    return _Blocks(
        *(GlobalLocalConv3d(a, b, halving, stack and i == last) for i, (a, b) in enumerate(pairwise(widths)))
    )
