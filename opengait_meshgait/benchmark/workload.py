"""What networks are given to do where their speed is measured: the same for all."""

import math
from dataclasses import dataclass

import torch

from opengait_meshgait.body.layout import ROOT_TURN

SEQUENCE, BATCH, TRAINING = "one sequence", "a batch", "a training step"
"""The tasks: to recognise one sequence, to recognise a batch at once, to learn from it."""
CALLS = {SEQUENCE: 3}
"""Short tasks are called several times for one measurement."""


@dataclass(frozen=True)
class Load:
    """What the networks are given to do.

    Attributes:
        people: in a batch.
        each: sequences of each of them.
        frames: of a sequence.
        half: float16 autocast, on CUDA only.
    """

    people: int
    each: int
    frames: int
    half: bool

    @property
    def sequences(self) -> int:
        """In a batch."""
        return self.people * self.each

    def labels(self) -> torch.Tensor:
        """The people of a batch, int64 [n]."""
        return torch.arange(self.people).repeat_interleave(self.each)

    def silhouettes(self, size: int = 64) -> torch.Tensor:
        """Ellipses of many widths, uint8 [n, s, size, size], 0…255: half empty as people are, which noise is not."""
        width = torch.rand(self.sequences, self.frames, 1, 1, generator=torch.Generator().manual_seed(0)) * 10 + 6
        row, column = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
        return (((column - size / 2) / width) ** 2 + (2 * row / size - 1) ** 2 < 1).to(torch.uint8) * 255

    def bodies(self) -> torch.Tensor:
        """Standing people who sway, SMPL-format frames, float32 [n, s, 85]."""
        frames = torch.randn(self.sequences, self.frames, 85, generator=torch.Generator().manual_seed(0)) * 0.1
        frames[..., ROOT_TURN] = torch.tensor([math.pi, 0, 0])
        return frames
