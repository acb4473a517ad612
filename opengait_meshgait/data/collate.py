"""Sequences become one batch of tensors."""

from dataclasses import dataclass, fields, replace

import numpy as np
import torch

from opengait_meshgait.common.errors import UserError


@dataclass(slots=True)
class Sequence:
    """The frames of one sequence that enter a batch.

    Attributes:
        sils: silhouettes, uint8 [s, h, w], 0…255.
        smpls: cam 3, pose 72 (rad), betas 10 of the same frames, float32 [s, 85], or None.
        label: the person, as an index into ``GaitDataset.label_set``.
        type: walking condition.
        view: view.
        index: the place in the dataset.
        seed: of everything drawn for this sequence in this iteration.
        name: ``id-type-view``.
    """

    sils: np.ndarray
    smpls: np.ndarray | None
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
        smpls: cam 3, pose 72 (rad), betas 10, float32 [n, s, 85], or packed [1, sum of seqL, 85], or None.
        seqL: the lengths of packed sequences, int64 [1, n], or None.
        labels: people, int64 [n].
        types: walking conditions, n of them.
        views: views, n of them.
        indices: places in the dataset, int64 [n].
        seeds: of everything drawn for each sequence in this iteration, int64 [n].
    """

    sils: torch.Tensor
    smpls: torch.Tensor | None
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
        return self._map(lambda tensor: tensor.to(device, non_blocking=to_gpu))

    def pin_memory(self) -> "Batch":
        """This batch with its tensors in page-locked memory."""
        return self._map(torch.Tensor.pin_memory)

    def _map(self, function) -> "Batch":
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(self, **{k: function(v) for k, v in values.items() if isinstance(v, torch.Tensor)})


def collate(sequences: list[Sequence], packed: bool) -> Batch:
    """One batch of sequences.

    Args:
        sequences: all with or all without bodies.
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
    join = (lambda arrays: np.concatenate(arrays)[None]) if packed else np.stack
    return Batch(
        sils=torch.from_numpy(join([sequence.sils for sequence in sequences])),
        smpls=None if first.smpls is None else torch.from_numpy(join([sequence.smpls for sequence in sequences])),
        seqL=torch.tensor([[len(sequence.sils) for sequence in sequences]]) if packed else None,
        labels=torch.tensor([sequence.label for sequence in sequences]),
        types=[sequence.type for sequence in sequences],
        views=[sequence.view for sequence in sequences],
        indices=torch.tensor([sequence.index for sequence in sequences]),
        seeds=torch.tensor([sequence.seed for sequence in sequences]),
    )
