"""Batches, read by worker processes where asked for."""

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.data.collate import Batch, collate
from opengait_meshgait.data.dataset import GaitDataset
from opengait_meshgait.data.frames import FrameSampling
from opengait_meshgait.data.samplers import InferenceSampler, Key

# Sequences tell of a few thousand directions in features of as many numbers; more would only take memory.
_AT_MOST = 20_000


class _Batches(Dataset):
    """Whole batches by their keys; a UserError is returned, for raised it would leave a worker as a traceback."""

    def __init__(self, dataset: GaitDataset):
        self.dataset = dataset

    def __getitem__(self, keys: list[Key]) -> Batch | UserError:
        try:
            return collate([self.dataset[key] for key in keys], packed=self.dataset.frames.length != "fixed")
        except UserError as error:
            return error


class _Loader(DataLoader):
    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]  # of PyTorch's private class
        for batch in super().__iter__():
            if isinstance(batch, UserError):
                raise batch
            yield batch


def _as_it_is(batch: Any) -> Any:
    return batch


def make_loader(
    dataset: GaitDataset, sampler: Sampler[list[Key]], num_workers: int = 0, pin_memory: bool = False
) -> DataLoader:
    """An iterable of :class:`Batch`, the same for any number of workers.

    Args:
        dataset: where sequences come from.
        sampler: gives the keys of one batch after the other.
        num_workers: processes that read ahead; 0 reads in this one.
        pin_memory: put batches into page-locked memory, for a faster way to a GPU.

    Raises:
        UserError: while iterating, for a file that cannot be used.
    """
    return _Loader(
        _Batches(dataset),
        sampler=sampler,
        batch_size=None,
        collate_fn=_as_it_is,
        num_workers=num_workers,
        persistent_workers=num_workers > 0,
        pin_memory=pin_memory,
        # Its own: a loader draws from the global generator otherwise, and a resumed run would continue differently.
        generator=torch.Generator().manual_seed(0),
    )


def whole_sequences(
    dataset: GaitDataset, frames: FrameSampling, share: tuple[int, int, int], num_workers: int = 0, **more: bool
) -> DataLoader:
    """The sequences of a training set as tests see theirs; of very many, 20,000 that are evenly spread.

    Args:
        dataset: read with frames of its own for training.
        frames: which frames tests take.
        share: sequences at a time of all processes together, this process, and how many there are.
        num_workers: as for :func:`make_loader`, and so is ``pin_memory``.

    Raises:
        UserError: while iterating, for a file that cannot be used.
    """
    whole = copy.copy(dataset)
    whole.frames = frames
    return make_loader(whole, InferenceSampler(whole, *share, at_most=_AT_MOST), num_workers, **more)
