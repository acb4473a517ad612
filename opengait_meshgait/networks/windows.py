"""Attention within 3D windows that shift from block to block.

Liu et al., "Video Swin Transformer" (CVPR 2022), after "Swin Transformer" (ICCV 2021). Maps are ``[n, d, h, w, c]``:
time, rows, columns, channels. State-dict keys are those of the usual implementations.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opengait_meshgait.networks.packing import Packing, share_out

# More heads at once, and PyTorch's attention for GPUs refuses.
_HEADS = 65_535


def cut_windows(x: Tensor, window: Sequence[int]) -> Tensor:
    """``[n, d, h, w, c]`` to ``[n, windows, tokens of a window, c]``; the window divides the map."""
    for axis in (3, 2, 1):
        x = x.unflatten(axis, (x.shape[axis] // window[axis - 1], window[axis - 1]))
    return x.permute(0, 1, 3, 5, 2, 4, 6, 7).flatten(4, 6).flatten(1, 3)


def join_windows(x: Tensor, window: Sequence[int], extent: Sequence[int]) -> Tensor:
    """The reverse of :func:`cut_windows`, for a map of ``extent``."""
    grid = [size // step for size, step in zip(extent, window)]
    x = x.unflatten(2, tuple(window)).unflatten(1, grid).permute(0, 1, 4, 2, 5, 3, 6, 7)
    return x.flatten(5, 6).flatten(3, 4).flatten(1, 2)


@dataclass(frozen=True)
class TimeWindows:
    """The windows in time of packed sequences: each belongs to one of them.

    Attributes:
        source: which frame each of the windows' places holds, int64 ``[T]``.
        held: whether it holds one, bool ``[T]``.
        place: of each frame, int64 ``[S]``.
    """

    source: Tensor
    held: Tensor
    place: Tensor

    @classmethod
    def of(cls, packing: Packing, window: int, shift: int) -> "TimeWindows":
        """Windows of ``window`` frames, the second of a sequence beginning at its frame ``shift``, or ``window`` if 0.

        A sequence of no more than ``window`` frames is one window.
        """
        frames, lengths = len(packing.sequence), packing.lengths
        empty = window - shift if shift else 0
        lead = (lengths > window) * empty
        sizes = (lengths + lead + window - 1) // window * window
        total = (frames + len(lengths) * (empty + window - 1)) // window * window
        owner, within = share_out(sizes, total)
        number = within - lead[owner]
        held = (number >= 0) & (number < lengths[owner])
        source = (packing.start[owner] + number).clamp(0, frames - 1)
        first = (sizes.cumsum(0) - sizes + lead)[packing.sequence]
        return cls(source, held, first + packing.place - packing.first)


class WindowAttention(nn.Module):
    """Multi-head self-attention among the tokens of each window, with a learnt bias for each relative position.

    A map that the windows do not divide is padded at its ends. Padding is masked, so the tokens of the map see each
    other alone; a side no longer than the window is one window, unshifted.

    Args:
        channels: c, a multiple of ``heads``.
        heads: number of attention heads.
        window: size of a window in time, rows and columns.
        shift: how far the windows are moved against the map, along each axis.
    """

    places: Tensor

    def __init__(self, channels: int, heads: int, window: Sequence[int], shift: Sequence[int] = (0, 0, 0)):
        super().__init__()
        self.heads, self.window, self.shift = heads, tuple(window), tuple(shift)
        spans = [2 * size - 1 for size in window]
        table = torch.empty(spans[0] * spans[1] * spans[2], heads)
        self.relative_position_bias_table = nn.Parameter(nn.init.trunc_normal_(table, std=0.02))
        tokens = torch.cartesian_prod(*(torch.arange(size) for size in window))
        offsets = tokens[:, None] - tokens[None] + torch.tensor(window) - 1
        places = (offsets[..., 0] * spans[1] + offsets[..., 1]) * spans[2] + offsets[..., 2]
        self.register_buffer("places", places.view(*window, *window), persistent=False)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)

    def forward(self, x: Tensor, packed: TimeWindows | None = None) -> Tensor:
        """``[n, d, h, w, c]``, or packed ``[1, S, h, w, c]``, to the same shape.

        Args:
            x: maps.
            packed: the windows in time of packed sequences, shifted as this module's are.
        """
        if packed is not None:
            return self._attend(x[:, packed.source], packed.held)[:, packed.place]
        return self._attend(x, None)

    def _attend(self, x: Tensor, held: Tensor | None) -> Tensor:
        extent = x.shape[1:4]
        window = [size if length > size else length for size, length in zip(self.window, extent)]
        shift = [step if length > size else 0 for step, length, size in zip(self.shift, extent, self.window)]
        if held is not None:
            window[0], shift[0] = self.window[0], 0
        padded = [(length + size - 1) // size * size for length, size in zip(extent, window)]
        missing = [size - length for size, length in zip(padded, extent)]
        x = F.pad(x, (0, 0, 0, missing[2], 0, missing[1], 0, missing[0]))
        tokens = cut_windows(x.roll([-step for step in shift], (1, 2, 3)), window)
        # Windows never meet, so each is as good as a head of its own: the mask is then the same for all sequences.
        q, k, v = self.qkv(tokens).unflatten(-1, (3, self.heads, -1)).permute(3, 0, 1, 4, 2, 5).flatten(2, 3)
        sides = cut_windows(_sides(extent, padded, shift, x.device, held)[None, ..., None], window)[0]
        mask = self._bias(window).masked_fill((sides != sides.mT)[:, None], -torch.inf)
        mask = mask.flatten(0, 1)[None].to(q.dtype)
        parts = zip(*(heads.split(_HEADS, dim=1) for heads in (q, k, v, mask)))
        y = torch.cat([F.scaled_dot_product_attention(*part) for part in parts], dim=1)
        y = self.proj(y.unflatten(1, (-1, self.heads)).transpose(2, 3).flatten(3))
        y = join_windows(y, window, padded).roll(shift, (1, 2, 3))
        return y[:, : extent[0], : extent[1], : extent[2]]

    def _bias(self, window: Sequence[int]) -> Tensor:
        """``[heads, tokens, tokens]`` for a window of at most the full size."""
        d, h, w = window
        places = self.places[:d, :h, :w, :d, :h, :w].reshape(d * h * w, d * h * w)
        return self.relative_position_bias_table[places].permute(2, 0, 1)


def _sides(
    extent: Sequence[int], padded: Sequence[int], shift: Sequence[int], device: torch.device, held: Tensor | None
) -> Tensor:
    """Integers ``padded`` in shape, for a map rolled back by ``shift``: tokens of one window and one number are
    neighbours. Rolling brings a map's beginning to its end, where the padding lies too; neither belongs there. Of
    packed sequences, ``held [T]`` says which places in time hold a frame."""
    number = torch.zeros((), dtype=torch.long, device=device)
    for axis, (length, size, step) in enumerate(zip(extent, padded, shift)):
        origin = torch.arange(size, device=device).roll(-step)
        side = (origin < step).long() + 2 * (origin >= length).long()
        if axis == 0 and held is not None:
            side = held.long()
        number = 3 * number + side.view([-1 if a == axis else 1 for a in range(3)])
    return number.expand(*padded)


class DropPath(nn.Module):
    """In training, leave a residual branch out for some sequences (Huang et al., "Stochastic Depth", ECCV 2016).

    Args:
        rate: probability of leaving it out; what stays is scaled so that the mean stays.
    """

    def __init__(self, rate: float):
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """``[n, ...]`` to the same shape."""
        return x * F.dropout(x.new_ones(len(x), *[1] * (x.dim() - 1)), self.rate, self.training)


class Mlp(nn.Module):
    """Two linear maps with a GELU between them, on each token.

    Args:
        channels: c.
        hidden: width between the two.
    """

    def __init__(self, channels: int, hidden: int):
        super().__init__()
        self.fc1 = nn.Linear(channels, hidden)
        self.fc2 = nn.Linear(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        """``[..., c]`` to ``[..., c]``."""
        return self.fc2(F.gelu(self.fc1(x)))


class SwinBlock(nn.Module):
    """Window attention and a perceptron, each normalised before and added to what passes (Video Swin, Eq. 1).

    Args:
        drop_path: rate at which either branch is left out in training.
        Others as :class:`WindowAttention`.
    """

    def __init__(self, channels: int, heads: int, window: Sequence[int], shift: Sequence[int], drop_path: float):
        super().__init__()
        self.norm1 = nn.LayerNorm(channels)
        self.attn = WindowAttention(channels, heads, window, shift)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = Mlp(channels, 4 * channels)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor, packed: TimeWindows | None = None) -> Tensor:
        """As :class:`WindowAttention`."""
        x = x + self.drop_path(self.attn(self.norm1(x), packed))
        return x + self.drop_path(self.mlp(self.norm2(x)))
