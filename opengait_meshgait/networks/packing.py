"""Packed sequences: n sequences of any lengths, one after the other in one, ``[1, sum of lengths, ...]``.

Nothing here loops over sequences or asks a GPU for their lengths: where a shape would depend on them, it is the largest
that they can need.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Packing:
    """Where the sequences of a pack lie; int64, on its device.

    Attributes:
        lengths: frames of each sequence, ``[n]``.
        start: place of the first frame of each, ``[n]``.
        place: of each frame, 0, 1, 2, …, ``[S]``, S the sum of the lengths.
        sequence: which one each frame belongs to, ``[S]``.
        first, last: places of the first and the last frame of that sequence, ``[S]``.
        share: of its sequence's frames that each frame is, in the row of that sequence, else 0; float32 ``[n, S]``.
    """

    lengths: Tensor
    start: Tensor
    place: Tensor
    sequence: Tensor
    first: Tensor
    last: Tensor
    share: Tensor

    @classmethod
    def of(cls, seqL: "Tensor | Packing", x: Tensor) -> "Packing":
        """From the lengths of the sequences packed in ``x [1, S, ...]``, int ``[1, n]``; a packing is handed on.

        Raises:
            ValueError: the lengths do not add up to the packed frames. Lengths on a GPU are not looked at.
        """
        if isinstance(seqL, Packing):
            return seqL
        _check(seqL, x)
        return cls.of_lengths(seqL.flatten().to(x.device, torch.int64), x.shape[1])

    @classmethod
    def of_lengths(cls, lengths: Tensor, total: int) -> "Packing":
        """From lengths int64 ``[n]``; of ``total`` frames, what they leave over is the last sequence's."""
        start = lengths.cumsum(0) - lengths
        place, number = (torch.arange(size, device=lengths.device) for size in (total, len(lengths)))
        sequence = owners(lengths, place)
        first = start[sequence]
        share = (sequence == number[:, None]) / lengths[:, None]
        return cls(lengths, start, place, sequence, first, first + lengths[sequence] - 1, share)

    @classmethod
    def of_several(cls, seqL: Tensor | None, x: Tensor) -> "Packing | None":
        """As :meth:`of`; None where there is no ``seqL``, or a single sequence, which is no pack."""
        if seqL is None or seqL.numel() > 1:
            return None if seqL is None else cls.of(seqL, x)
        _check(seqL, x)
        return None


def _check(seqL: Tensor, x: Tensor) -> None:
    if seqL.device.type != "cpu" or torch.compiler.is_compiling():
        return
    given = seqL.flatten().tolist()
    if x.shape[0] != 1 or sum(given) != x.shape[1] or min(given) < 1:
        raise ValueError(f"seqL {given} (sum {sum(given)}) does not fit packed frames of shape {tuple(x.shape)}")


Lengths = Tensor | Packing | None
"""Lengths of packed sequences, int ``[1, n]``, or what was found out from them; None of sequences ``[n, s, ...]``."""


def owners(sizes: Tensor, slots: Tensor) -> Tensor:
    """Which sequence has each of ``slots``, if they are shared out as by :func:`share_out`."""
    return torch.searchsorted(sizes.cumsum(0), slots, right=True).clamp(max=len(sizes) - 1)


def share_out(sizes: Tensor, total: int) -> tuple[Tensor, Tensor]:
    """Share ``total`` slots out, so many to each sequence, in their order; what is left over goes to the last.

    Args:
        sizes: int64 ``[n]``, slots of each sequence; ``total`` in all, or fewer.
        total: of slots.

    Returns:
        Which sequence has each slot, and the slot's number in it; int64 ``[total]``.
    """
    slots = torch.arange(total, device=sizes.device)
    owner = owners(sizes, slots)
    return owner, slots - (sizes.cumsum(0) - sizes)[owner]


def max_over_time(x: Tensor, seqL: Lengths = None) -> Tensor:
    """The maximum over the frames of each sequence.

    Args:
        x: ``[n, s, ...]``, or packed ``[1, S, ...]``.
        seqL: of the packed sequences.

    Returns:
        ``[n, ...]``.

    Raises:
        ValueError: as :meth:`Packing.of`.
    """
    if x.dim() == 5 and not x.is_contiguous() and x[0].is_contiguous(memory_format=torch.channels_last):
        # Read in the order in which it lies in memory.
        return max_over_time(x.permute(0, 1, 3, 4, 2), seqL).permute(0, 3, 1, 2)
    if seqL is None:
        return x.max(dim=1).values if x.requires_grad else x.amax(dim=1)
    packing, rows = Packing.of(seqL, x), x[0].flatten(1)
    if x.device.type == "cpu":
        into = packing.sequence[:, None].expand_as(rows)
        none = rows.new_empty(len(packing.lengths), rows.shape[1])
        found = none.scatter_reduce(0, into, rows, "amax", include_self=False)
    else:
        # Atomic operations in 16 bits, which the above needs there, are slow.
        found = F.embedding_bag(packing.place, rows, packing.start, mode="max")
    return found.unflatten(1, x.shape[2:])


def mean_over_time(x: Tensor, seqL: Lengths = None) -> Tensor:
    """The mean over the frames of each sequence; arguments and result as of :func:`max_over_time`."""
    if seqL is None:
        return x.mean(dim=1)
    share = Packing.of(seqL, x).share
    with torch.autocast(x.device.type, enabled=False):
        frames = x[0].flatten(1).to(torch.promote_types(x.dtype, share.dtype))
        return (share.to(frames.dtype) @ frames).to(x.dtype).unflatten(1, x.shape[2:])


def each_frame(pooled: Tensor, x: Tensor, seqL: Lengths = None) -> Tensor:
    """``pooled [n, c]`` beside each of the frames ``x`` that it was pooled from.

    Returns:
        ``[n, s, c]`` or packed ``[1, S, c]``.
    """
    if seqL is None:
        return pooled[:, None].expand(-1, x.shape[1], -1)
    return pooled[Packing.of(seqL, x).sequence][None]


def neighbours(x: Tensor, distance: int, seqL: Lengths = None) -> Tensor:
    """For each frame, the one ``distance`` frames before it in its sequence, itself, and the one as far behind it.

    Beyond an end, the frame at that end.

    Args:
        x: ``[n, s, c]``; with ``seqL``, packed ``[1, S, c]``.
        distance: in frames.
        seqL: of the packed sequences.

    Returns:
        ``[n, s, 3, c]``, or packed.
    """
    steps = torch.arange(-distance, distance + 1, distance, device=x.device)
    if seqL is None:
        return x[:, (torch.arange(x.shape[1], device=x.device)[:, None] + steps).clamp(0, x.shape[1] - 1)]
    packing = Packing.of(seqL, x)
    return x[:, torch.clamp(packing.place[:, None] + steps, packing.first[:, None], packing.last[:, None])]


@dataclass(frozen=True)
class Spread:
    """Packed sequences with empty slots between them, over which a convolution sees each sequence by itself.

    Attributes:
        source: which frame each slot holds, int64 ``[T]``.
        held: whether it holds one, bool ``[T]``.
        place: the slot of each frame, int64 ``[S]``.
    """

    source: Tensor
    held: Tensor
    place: Tensor

    @classmethod
    def of(cls, packing: Packing, gap: int) -> "Spread":
        """``gap`` empty slots after each sequence but the last."""
        frames, number = len(packing.sequence), len(packing.lengths)
        owner, within = share_out(packing.lengths + gap, frames + gap * (number - 1))
        held = within < packing.lengths[owner]
        source = (packing.start[owner] + within).clamp(max=frames - 1)
        return cls(source, held, packing.place + gap * packing.sequence)


def keep(x: Tensor, held: Tensor | None, dim: int) -> Tensor:
    """``x`` with zeros in the slots along ``dim`` that hold nothing; x itself where ``held`` is None."""
    return x if held is None else x * held.view(-1, *[1] * (x.dim() - dim - 1))
