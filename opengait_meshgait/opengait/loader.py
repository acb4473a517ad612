"""Batches for OpenGait's loops: its samplers choose the sequences, this package reads them."""

from collections.abc import Iterator
from functools import partial

import torch
from torch.utils.data import DataLoader, Sampler

from opengait_meshgait.data.collate import collate
from opengait_meshgait.data.dataset import GaitDataset
from opengait_meshgait.data.samplers import Key


class Keys(Sampler[list[Key]]):
    """The batches of one of OpenGait's samplers, each index with the seed of what is drawn for it.

    Args:
        sampler: yields lists of indices; has ``batch_size``.
        training: draw new seeds for every batch; otherwise the index is the seed.
    """

    def __init__(self, sampler: Sampler[list[int]], training: bool):
        self.sampler, self.training = sampler, training
        self.batch_size = sampler.batch_size

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[list[Key]]:
        for indices in self.sampler:
            seeds = torch.randint(2**62, (len(indices),)).tolist() if self.training else indices
            yield list(zip(indices, seeds))


def make_loader(dataset: GaitDataset, sampler: Sampler[list[int]], training: bool, num_workers: int) -> DataLoader:
    """An iterable of :class:`~opengait_meshgait.data.collate.Batch` with what OpenGait asks of a loader.

    Args:
        dataset: where sequences come from.
        sampler: one of OpenGait's.
        training: whether frames are drawn anew each time.
        num_workers: processes that read ahead.
    """
    return DataLoader(
        dataset,
        batch_sampler=Keys(sampler, training),
        collate_fn=partial(collate, packed=dataset.frames.length != "fixed"),
        num_workers=num_workers,
        pin_memory=torch.cuda.is_available(),
    )
