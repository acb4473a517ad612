"""GaitPart: focal convolutions and micro-motions of parts."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.networks.backbones.plain import Plain
from opengait_meshgait.networks.blocks import xavier_convolutions
from opengait_meshgait.networks.layers import HorizontalPooling, SetBlockWrapper
from opengait_meshgait.networks.packing import Packing, Spread, keep, max_over_time
from opengait_meshgait.networks.part_backbone import PooledBackbone
from opengait_meshgait.networks.registry import BACKBONES, Count

# Frames of each micro-motion.
_WINDOWS = (3, 5)
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

    def forward(self, x: Tensor, held: Tensor | None = None) -> Tensor:
        """``[n, c, p, s]`` to the same shape.

        Args:
            x: the sequences.
            held: bool ``[s]``, false for places that hold no frame, at least ``window // 2`` of them between sequences;
                None: all do.
        """
        parts, flat = x.shape[2], keep(x, held, 3).transpose(1, 2).flatten(1, 2)
        # All parts at once, as groups of channels.
        first, last = (
            torch.cat([part.get_parameter(f"{place}.weight") for part in self.attention]) for place in (0, 2)
        )
        scores = F.leaky_relu(keep(F.conv1d(flat, first, padding=1, groups=parts), held, 2))
        scores = F.conv1d(scores, last, padding=last.shape[2] // 2, groups=parts)
        side = self.window // 2
        # In 2D, for in 1D its export would be for sequences of one length.
        highest = flat if held is None else flat.masked_fill(~held, -torch.inf)
        highest = F.max_pool2d(highest, (1, self.window), 1, (0, side))
        motion = F.avg_pool1d(flat, self.window, 1, side) + highest
        return (motion * scores.sigmoid()).unflatten(1, (parts, -1)).transpose(1, 2)


@BACKBONES.register
class GaitPart(PooledBackbone):
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

    reach = max(_WINDOWS) // 2

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
        self.TFA = nn.ModuleList(MicroMotion(plain.out_channels, sum(bin_num), window, squeeze) for window in _WINDOWS)
        xavier_convolutions(self)

    def pool(self, frames: Tensor, packing: Packing | None, own: slice) -> tuple[tuple[Tensor], Tensor]:
        """``[n, s, 1, h, w]`` to parts ``[n, c, p]`` and the maps before they are cut into strips."""
        maps = self.Backbone(frames)
        strips = self.HPP(maps)
        if packing is None:
            return (max_over_time(self._motions(strips)[:, own]),), maps[:, own]
        spread = Spread.of(packing, gap=self.reach)
        motions = self._motions(strips[:, spread.source], spread.held)
        return (max_over_time(motions[:, spread.place], packing),), maps

    def _motions(self, strips: Tensor, held: Tensor | None = None) -> Tensor:
        """``[n, s, c, p]`` to the same shape; ``held`` as for :class:`MicroMotion`."""
        x = strips.permute(0, 2, 3, 1)
        return sum(template(x, held) for template in self.TFA).permute(0, 3, 1, 2)
