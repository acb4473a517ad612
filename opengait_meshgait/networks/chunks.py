"""Long sequences in bounded memory: what looks at single frames looks at some of them at a time."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

FRAMES_AT_ONCE = 256
"""The first layer of ResNet9 alone takes 0.7 MB a frame."""


def in_chunks(function: Callable[..., Sequence[Tensor]], *frames: Tensor, whole: bool) -> tuple[Tensor, ...]:
    """What ``function`` gives for frames, none of which knows of another.

    Args:
        function: takes tensors ``[m, ...]`` to others ``[m, ...]``.
        frames: its arguments.
        whole: all frames at once, as in training, whose batch normalisation knows all of them. So it is in any case
            where gradients need what lies between, and where a compiler must not see their number.
    """
    if whole or torch.is_grad_enabled() or torch.compiler.is_compiling() or len(frames[0]) <= FRAMES_AT_ONCE:
        return tuple(function(*frames))
    parts = [function(*some) for some in zip(*(each.split(FRAMES_AT_ONCE) for each in frames))]
    return tuple(torch.cat(each) for each in zip(*parts))
