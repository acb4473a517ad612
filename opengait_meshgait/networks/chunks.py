"""Long sequences in bounded memory: what looks at single frames, or a few in a row, looks at some at a time.

It looks at all of them at once in training, whose batch normalisation knows all frames; where gradients need what lies
between; and under a compiler, which must not see their number.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

FRAMES_AT_ONCE = 256
"""The first layer of ResNet9 alone takes 0.7 MB a frame."""


def in_chunks(function: Callable[..., Sequence[Tensor]], *frames: Tensor, whole: bool) -> tuple[Tensor, ...]:
    """What ``function`` gives for frames, none of which knows of another.

    Args:
        function: takes tensors ``[m, ...]`` to others ``[m, ...]``.
        frames: its arguments.
        whole: all frames at once, as in training.
    """
    if _at_once(whole, frames[0].shape[0]):
        return tuple(function(*frames))
    parts = [function(*some) for some in zip(*(each.split(FRAMES_AT_ONCE) for each in frames))]
    return tuple(torch.cat(each) for each in zip(*parts))


def joined(windows: Sequence[Tensor]) -> Tensor:
    """The frames of all windows, ``[n, w, ...]`` each, in a row: ``[n, s, ...]``."""
    return windows[0] if len(windows) == 1 else torch.cat([*windows], dim=1)


@dataclass(frozen=True)
class FrameWindow:
    """Some frames of a sequence.

    Attributes:
        frames: the sequence's frames that are the window's own; the windows share them out.
        seen: those, and the neighbours that decide what is seen in them.
        own: where among the ``seen`` the window's own ones are.
    """

    frames: slice
    seen: slice
    own: slice


def frame_windows(length: int, reach: int | None, step: int, whole: bool) -> list[FrameWindow]:
    """The windows into which sequences are cut.

    Args:
        length: of the sequences, frames.
        reach: how many frames before and behind a frame decide what is seen in it; None: all of the sequence.
        step: windows begin at multiples of it.
        whole: one window in any case, as in training.
    """
    if reach is None or _at_once(whole, length):
        return [FrameWindow(*[slice(None)] * 3)]
    size, margin = max(FRAMES_AT_ONCE // step, 1) * step, (reach + step - 1) // step * step
    # Fewer frames than a step make no window of their own.
    starts = range(0, length // step * step, size)
    windows = []
    for start, end in zip(starts, [*starts[1:], length]):
        seen = slice(max(start - margin, 0), min(end + margin, length))
        windows.append(FrameWindow(slice(start, end), seen, slice(start - seen.start, end - seen.start)))
    return windows


def _at_once(whole: bool, frames: int) -> bool:
    return whole or torch.is_grad_enabled() or torch.compiler.is_compiling() or frames <= FRAMES_AT_ONCE
