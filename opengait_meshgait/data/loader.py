"""Batches, read by worker processes where asked for."""

from collections.abc import Iterator

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.data.collate import Batch, collate
from opengait_meshgait.data.dataset import GaitDataset
from opengait_meshgait.data.samplers import Key


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
    def __iter__(self) -> Iterator[Batch]:
        for batch in super().__iter__():
            if isinstance(batch, UserError):
                raise batch
            yield batch


def _as_it_is(batch: Batch | UserError) -> Batch | UserError:
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
        # Its own: a loader draws from the global generator otherwise, and a resumed run would go on differently.
        generator=torch.Generator().manual_seed(0),
    )
