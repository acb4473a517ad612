"""What backbones have in common: from sequences of silhouettes to features of parts."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.networks.chunks import in_chunks
from opengait_meshgait.networks.layers import HorizontalPooling, PackSequence
from opengait_meshgait.networks.packing import Lengths, Packing


class PartBackbone(nn.Module):
    """A backbone that looks at whole sequences and pools them over time and height itself.

    A subclass takes ``bin_num``, the horizontal strips of the config, as its first argument, sets ``part_bins`` and
    implements :meth:`with_maps`; or :meth:`look` alone, and packed sequences are shown to it one by one. One that
    derives from :class:`PooledBackbone` takes long sequences in bounded memory.

    Attributes:
        part_bins: into how many strips each scale of the parts cuts the body, so that other features can be cut alike;
            they add up to the number of parts.
        reach: frames before and behind a frame that what is pooled of it depends on; None: all of the sequence.
        step: frames that are looked at together; windows begin at multiples of it.
    """

    part_bins: tuple[int, ...]
    filled_in = ("bin_num",)
    reach: int | None = None
    step = 1

    def forward(self, frames: Tensor, seqL: Lengths = None) -> Tensor:
        """Sequences to part features.

        Args:
            frames: ``[n, s, 1, h, w]``, or packed ``[1, sum of lengths, 1, h, w]``.
            seqL: int ``[1, n]``, lengths of the packed sequences; each is seen by itself.

        Returns:
            ``[n, c, p]``.
        """
        return self.with_maps(frames, seqL)[0]

    def with_maps(self, frames: Tensor, seqL: Lengths = None) -> tuple[Tensor, Tensor | None]:
        """As :meth:`forward`, and the last feature maps that know single frames.

        Returns:
            ``[n, c, p]``; ``[n, s, c', h', w']`` or packed ``[1, sum of lengths, c', h', w']``, None of a backbone that
            has no such maps.
        """
        if seqL is None:
            return self.look(frames)
        lengths = Packing.of(seqL, frames).lengths.tolist()
        parts, maps = zip(*(self.look(sequence) for sequence in frames.split(lengths, dim=1)))
        return torch.cat(parts), None if maps[0] is None else torch.cat(maps, dim=1)

    def look(self, frames: Tensor) -> tuple[Tensor, Tensor | None]:
        """``[n, s, 1, h, w]`` to parts ``[n, c, p]`` and maps ``[n, s, c', h', w']`` or None."""
        raise NotImplementedError

    def pool(self, frames: Tensor, packing: Packing | None, own: slice) -> tuple[tuple[Tensor, ...], Tensor | None]:
        """Of some frames of sequences, what their parts are made of.

        Args:
            frames: as of :meth:`forward`.
            packing: of packed sequences, all of whose frames these are.
            own: the frames that are meant; the others are there for them to be seen with.

        Returns:
            Maxima over the own frames, ``[n, ...]`` each; the own frames' maps as of :meth:`with_maps`.
        """
        parts, maps = self.with_maps(frames, packing)
        return (parts,), maps

    def parts(self, *pooled: Tensor) -> Tensor:
        """Parts ``[n, c, p]`` of what :meth:`pool` makes of all frames."""
        (parts,) = pooled
        return parts


class PooledBackbone(PartBackbone):
    """A backbone that pools features of frames, or of a few frames in a row, by their maximum over time.

    So a long sequence may be seen window by window. A subclass implements :meth:`pool` and :meth:`parts`, and says its
    ``reach`` and ``step``.
    """

    reach: int | None = 0

    def with_maps(self, frames: Tensor, seqL: Lengths = None) -> tuple[Tensor, Tensor | None]:
        """As of any :class:`PartBackbone`."""
        pooled, maps = self.pool(frames, None if seqL is None else Packing.of(seqL, frames), slice(None))
        return self.parts(*pooled), maps


class FrameBackbone(PooledBackbone):
    """A backbone that knows single frames: their feature maps' maximum over time, pooled over strips.

    Args:
        forward_block: maps ``[m, 1, h, w]`` to ``[m, c, h', w']``.
        bin_num: horizontal strips, one entry a scale.
    """

    def __init__(self, forward_block: nn.Module, bin_num: Sequence[int]):
        super().__init__()
        self.forward_block = forward_block
        self.part_bins = tuple(bin_num)
        self.TP = PackSequence()
        self.HPP = HorizontalPooling(bin_num)

    def pool(self, frames: Tensor, packing: Packing | None, own: slice) -> tuple[tuple[Tensor], Tensor]:
        """As of any :class:`PartBackbone`."""
        flat = frames[:, own].flatten(0, 1)
        (maps,) = in_chunks(lambda some: (self.forward_block(some),), flat, whole=self.training)
        if not isinstance(maps, Tensor) or maps.dim() != 4 or maps.shape[0] != flat.shape[0]:
            found = list(maps.shape) if isinstance(maps, Tensor) else type(maps).__name__
            raise UserError(
                f"The backbone {type(self.forward_block).__name__} makes {found} of frames {list(flat.shape)}; "
                f"expected feature maps [{len(flat)}, c, h, w]."
            )
        maps = maps.unflatten(0, (len(frames), -1))
        return (self.TP(maps, packing),), maps

    def parts(self, *pooled: Tensor) -> Tensor:
        """As of any :class:`PartBackbone`."""
        return self.HPP(*pooled)
