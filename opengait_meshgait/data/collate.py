"""Which frames of a sequence enter a batch (OpenGait's ``sample_type`` and its numbers), and the batch itself."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch

from opengait_meshgait.common.errors import UserError, did_you_mean

_SAMPLE_TYPES = [f"{length}_{order}" for length in ("fixed", "unfixed") for order in ("unordered", "ordered")]
_SAMPLE_TYPES += ["fixed_allordered", "unfixed_allordered", "all_ordered", "all_unordered"]


@dataclass(frozen=True)
class FrameSampling:
    """How many frames to take, and in which order.

    ``sample_type`` is ``<length>_<order>``. Length: ``fixed`` takes ``frames_num_fixed`` frames; ``unfixed`` between
    ``frames_num_min`` and ``frames_num_max``, drawn a sequence; ``all`` takes all, in their order whatever the second
    word, and at most the first ``frames_all_limit``. Order: ``unordered`` draws frames from the whole sequence, as they
    come; ``allordered`` draws the same and sorts them (in OpenGait they stay unsorted); ``ordered`` draws them, sorted,
    from a window that is longer by ``frames_skip_num``, and repeats a sequence that is shorter than the window. Frames
    repeat only where the sequence is too short.

    Raises:
        UserError: an unknown ``sample_type``, or a number that it needs is missing or impossible.
    """

    sample_type: str
    frames_num_fixed: int | None = None
    frames_num_min: int | None = None
    frames_num_max: int | None = None
    frames_skip_num: int = 0
    frames_all_limit: int | None = None

    def __post_init__(self) -> None:
        if self.sample_type not in _SAMPLE_TYPES:
            raise UserError(
                f"Unknown sample_type '{self.sample_type}'. {did_you_mean(str(self.sample_type), _SAMPLE_TYPES)}"
            )
        needed = {"fixed": ["frames_num_fixed"], "unfixed": ["frames_num_min", "frames_num_max"], "all": []}
        for key in needed[self.length]:
            if getattr(self, key) is None:
                raise UserError(f"sample_type {self.sample_type} needs {key}: add it to the sampler.")
        for key in ("frames_num_fixed", "frames_num_min", "frames_num_max", "frames_all_limit"):
            if getattr(self, key) is not None and getattr(self, key) < 1:
                raise UserError(f"{key} must be at least 1, found {getattr(self, key)}.")
        if self.frames_skip_num < 0:
            raise UserError(f"frames_skip_num must be at least 0, found {self.frames_skip_num}.")
        if self.length == "unfixed" and self.frames_num_min > self.frames_num_max:
            raise UserError(f"frames_num_min {self.frames_num_min} is above frames_num_max {self.frames_num_max}.")

    @classmethod
    def from_config(cls, sampler_cfg: Mapping[str, Any]) -> "FrameSampling":
        """From the YAML's ``sampler``, whose other keys belong to the sampler of sequences."""
        names = [field.name for field in fields(cls)]
        return cls(**{name: sampler_cfg[name] for name in names if sampler_cfg.get(name) is not None})

    @property
    def length(self) -> str:
        """``fixed``, ``unfixed`` or ``all``; only ``fixed`` sequences stack to a rectangle."""
        return self.sample_type.split("_")[0]

    def sample(self, frames: int, rng: np.random.Generator) -> np.ndarray:
        """Draw from a sequence.

        Args:
            frames: the sequence's length, at least 1.
            rng: where the draws come from.

        Returns:
            Frame indices, int64 [s].
        """
        length, order = self.sample_type.split("_")
        if length == "all":
            return np.arange(frames)[: self.frames_all_limit]
        if length == "fixed":
            number = self.frames_num_fixed
        else:
            number = int(rng.integers(self.frames_num_min, self.frames_num_max, endpoint=True))
        if order == "ordered":
            window = number + self.frames_skip_num
            repeated = frames * math.ceil(window / frames)
            start = rng.integers(repeated - window, endpoint=True)
            return (start + np.sort(rng.choice(window, number, replace=False))) % frames
        chosen = rng.choice(frames, number, replace=frames < number)
        return np.sort(chosen) if order == "allordered" else chosen


@dataclass(slots=True)
class GaitSequence:
    """The frames of one sequence that enter a batch.

    Attributes, else as those of :class:`Batch` without its n:
        sils: silhouettes, uint8 [s, h, w], 0…255.
        label: the person, as an index into ``GaitDataset.label_set``.
        name: ``id-type-view``.
    """

    sils: np.ndarray
    bodies: np.ndarray | None
    weights: np.ndarray | None
    label: int
    type: str
    view: str
    index: int
    seed: int
    name: str


@dataclass(slots=True)
class Batch:
    """n sequences, stacked where they are equally long by design, else packed one after the other.

    Attributes:
        sils: silhouettes, uint8 [n, s, h, w], or packed [1, sum of seqL, h, w]; 0…255.
        bodies: float32, cam 3, pose 72 (rad), betas 10, [n, s, 85], or joints, m, [n, s, 24, 3]; packed as the
            silhouettes; or None.
        weights: how much each body counts, float32 [n, s], 0…1, packed as the silhouettes; None: all fully.
        seqL: the lengths of packed sequences, int64 [1, n], always on the CPU, or None.
        labels: people, int64 [n].
        types: walking conditions, n of them.
        views: views, n of them.
        indices: places in the dataset, int64 [n].
        seeds: of everything drawn for each sequence in this iteration, int64 [n], always on the CPU.
    """

    sils: torch.Tensor
    bodies: torch.Tensor | None
    weights: torch.Tensor | None
    seqL: torch.Tensor | None
    labels: torch.Tensor
    types: list[str]
    views: list[str]
    indices: torch.Tensor
    seeds: torch.Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device | str) -> "Batch":
        """This batch with its tensors on ``device``; the way to a GPU does not block where they are pinned."""
        to_gpu = torch.device(device).type == "cuda"
        moved = self._map(lambda tensor: tensor.to(device, non_blocking=to_gpu))
        # Lengths and seeds are read here: from a GPU they would have to be waited for.
        return replace(moved, seqL=self.seqL, seeds=self.seeds)

    def pin_memory(self) -> "Batch":
        """This batch with its tensors in page-locked memory."""
        return self._map(torch.Tensor.pin_memory)

    def _map(self, function) -> "Batch":
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(self, **{k: function(v) for k, v in values.items() if isinstance(v, torch.Tensor)})


def collate(sequences: list[GaitSequence], packed: bool) -> Batch:
    """One batch of sequences.

    Args:
        sequences: all with 85-number frames, all with joints, or all without bodies.
        packed: put them one after the other; else stack them, and they must be equally long.

    Raises:
        UserError: silhouettes of different sizes.
    """
    first = sequences[0]
    for sequence in sequences:
        if sequence.sils.shape[1:] != first.sils.shape[1:]:
            raise UserError(
                f"Silhouettes of {first.name} are {list(first.sils.shape[1:])} and those of {sequence.name} are "
                f"{list(sequence.sils.shape[1:])}. Prepare the whole dataset with one size."
            )
    weights = None
    if any(sequence.weights is not None for sequence in sequences):
        # A sequence without a file of weights counts fully.
        weights = [np.ones(len(s.sils), np.float32) if s.weights is None else s.weights for s in sequences]

    def join(arrays: list[np.ndarray]) -> torch.Tensor:
        return torch.from_numpy(np.concatenate(arrays)[None] if packed else np.stack(arrays))

    return Batch(
        sils=join([sequence.sils for sequence in sequences]),
        bodies=None if first.bodies is None else join([sequence.bodies for sequence in sequences]),
        weights=None if weights is None else join(weights),
        seqL=torch.tensor([[len(sequence.sils) for sequence in sequences]]) if packed else None,
        labels=torch.tensor([sequence.label for sequence in sequences]),
        types=[sequence.type for sequence in sequences],
        views=[sequence.view for sequence in sequences],
        indices=torch.tensor([sequence.index for sequence in sequences]),
        seeds=torch.tensor([sequence.seed for sequence in sequences]),
    )
