"""What a silhouette backbone gives: part features of whole sequences, however it gets there; and checks they share."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from opengait_meshgait.networks.layers import HorizontalPooling, PackSequence, SetBlockWrapper, split_packed


class PartBackbone(nn.Module):
    """A backbone that looks at whole sequences and pools them over time and height itself.

    A subclass takes ``bin_num``, the horizontal strips of the config, as its first argument, sets ``part_bins`` and
    implements :meth:`look`.

    Attributes:
        part_bins: into how many strips each scale of the parts cuts the body, so that other features can be cut alike;
            they add up to the number of parts.
    """

    part_bins: tuple[int, ...]
    filled_in = ("bin_num",)

    def forward(self, frames: Tensor, seqL: Tensor | None = None) -> Tensor:
        """Sequences to part features.

        Args:
            frames: ``[n, s, 1, h, w]``, or packed ``[1, sum of lengths, 1, h, w]``.
            seqL: int ``[1, n]``, lengths of the packed sequences; each is seen by itself.

        Returns:
            ``[n, c, p]``.
        """
        return self.with_maps(frames, seqL)[0]

    def with_maps(self, frames: Tensor, seqL: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """As :meth:`forward`, and the last feature maps that know single frames.

        Returns:
            ``[n, c, p]``; ``[n, s, c', h', w']`` or packed ``[1, sum of lengths, c', h', w']``, None of a backbone that
            has no such maps.
        """
        if seqL is None:
            return self.look(frames)
        parts, maps = zip(*(self.look(sequence) for sequence in split_packed(frames, seqL)))
        return torch.cat(parts), None if maps[0] is None else torch.cat(maps, dim=1)

    def look(self, frames: Tensor) -> tuple[Tensor, Tensor | None]:
        """``[n, s, 1, h, w]`` to parts ``[n, c, p]`` and maps ``[n, s, c', h', w']`` or None."""
        raise NotImplementedError


class FrameBackbone(SetBlockWrapper):
    """A backbone that knows single frames: their feature maps' maximum over time, pooled over strips.

    Args:
        forward_block: maps ``[m, 1, h, w]`` to ``[m, c, h', w']``.
        bin_num: horizontal strips, one entry a scale.
    """

    def __init__(self, forward_block: nn.Module, bin_num: Sequence[int]):
        super().__init__(forward_block)
        self.part_bins = tuple(bin_num)
        self.TP = PackSequence()
        self.HPP = HorizontalPooling(bin_num)

    def forward(self, frames: Tensor, seqL: Tensor | None = None) -> Tensor:
        """As :meth:`PartBackbone.forward`."""
        return self.with_maps(frames, seqL)[0]

    def with_maps(self, frames: Tensor, seqL: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """As :meth:`PartBackbone.with_maps`."""
        maps = super().forward(frames)
        return self.HPP(self.TP(maps, seqL)), maps
