"""Which sequences make a batch, and their reading, by worker processes where asked for.

Everything drawn for an iteration comes from (seed, iteration) alone.
"""

import copy
import itertools
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.data.collate import Batch, FrameSampling, collate
from opengait_meshgait.data.dataset import GaitDataset, SequenceTable

# The index of a sequence, and the seed of everything drawn for it.
Key = tuple[int, int]


class TripletSampler(Sampler[list[Key]]):
    """Endless batches of P people with K sequences each.

    A run that starts at iteration i draws what a run from 0 would have drawn from i on, whatever the number of workers,
    and the processes of a distributed run share out the batch that one process would have drawn.

    Of several data sets, each batch is from one, drawn as :func:`shares_of_batches` says.

    Args:
        dataset: what to draw from.
        batch_size: [P, K]. A person with fewer than K sequences gives some of them more than once.
        batch_shuffle: whether to mix the people of a batch (before it is shared out).
        seed: of the run.
        start: the first iteration, counted from 0.
        rank: this process.
        world_size: how many processes share a batch.

    Raises:
        UserError: ``batch_size`` is not a pair of numbers that the dataset and the processes can bear.
    """

    def __init__(
        self,
        dataset: SequenceTable,
        batch_size: Sequence[int],
        batch_shuffle: bool = False,
        seed: int = 0,
        start: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ):
        if not isinstance(batch_size, Sequence) or len(batch_size) != 2 or min(batch_size) < 1:
            raise UserError(f"TripletSampler needs batch_size: [ids, sequences of each], found {batch_size}.")
        people, each = batch_size
        if people < 2:
            raise UserError(f"batch_size {list(batch_size)} asks for one id a batch; triplets need two or more.")
        fewest = min(dataset.label_sets, key=len)
        if people > len(fewest):
            which = f" with {fewest[0]}" * (len(dataset.label_sets) > 1 and bool(fewest))
            raise UserError(
                f"batch_size {list(batch_size)} asks for {people} ids a batch, and the dataset{which} has "
                f"{len(fewest)}. Lower the first number."
            )
        if people * each % world_size:
            raise UserError(
                f"batch_size {list(batch_size)} makes {people * each} sequences, which {world_size} processes cannot "
                "share evenly. Change one of them."
            )
        self.dataset = dataset
        self.people, self.each = people, each
        self.batch_shuffle = batch_shuffle
        self.seed, self.start = seed, start
        self.shares = shares_of_batches(dataset)
        self.rank, self.world_size = rank, world_size

    def batch(self, iteration: int) -> list[Key]:
        """The whole batch of one iteration, for all processes together."""
        rng = np.random.default_rng([self.seed, iteration])
        indices = []
        several = len(self.shares) > 1
        labels = self.dataset.label_sets[rng.choice(len(self.shares), p=self.shares) if several else 0]
        for label in rng.permutation(len(labels))[: self.people]:
            own = self.dataset.indices_dict[labels[label]]
            indices += [own[i] for i in rng.choice(len(own), self.each, replace=len(own) < self.each)]
        seeds = rng.integers(2**63, size=len(indices))
        keys = list(zip(indices, seeds.tolist()))
        return [keys[i] for i in rng.permutation(len(keys))] if self.batch_shuffle else keys

    def __iter__(self) -> Iterator[list[Key]]:
        for iteration in itertools.count(self.start):
            yield self.batch(iteration)[self.rank :: self.world_size]


def shares_of_batches(dataset: SequenceTable) -> np.ndarray:
    """Of several data sets, how large a share of the batches each gives, ``[data sets]``: the cube roots of their
    numbers of sequences, scaled to a sum of 1, as in OpenGait."""
    sizes = [sum(len(dataset.indices_dict[label]) for label in labels) for labels in dataset.label_sets]
    roots = np.cbrt(np.asarray(sizes, dtype=np.float64))
    return roots / roots.sum()


class InferenceSampler(Sampler[list[Key]]):
    """Every sequence once, in order, shared out evenly.

    All processes take the same number of batches, and the i-th batches of all of them are equally long, so that they
    can be gathered. Where the last ones would not be, sequences from the beginning come a second time: gathered
    results must be stored by ``Batch.indices``, and the repeated ones fall on themselves.

    Args:
        dataset: what to go through.
        batch_size: sequences at a time, all processes together, as in OpenGait.
        rank: this process.
        world_size: how many processes there are.
        at_most: of more sequences than this, so many, evenly spread.

    Attributes:
        batches: the indices of this process's batches.
        first_time: for each of them whether it has not come before; False for the repeated ones.

    Raises:
        UserError: ``batch_size`` is no number, or not a multiple of ``world_size``.
    """

    def __init__(
        self,
        dataset: SequenceTable,
        batch_size: int,
        rank: int = 0,
        world_size: int = 1,
        at_most: int | None = None,
    ):
        if not isinstance(batch_size, int) or batch_size < 1 or batch_size % world_size:
            raise UserError(
                f"InferenceSampler needs a batch_size that {world_size} process(es) can share evenly, "
                f"found {batch_size}."
            )
        size = min(len(dataset), at_most or len(dataset))
        places = (np.arange(size) * len(dataset) // max(size, 1)).tolist()
        shared = -(-size // world_size) * world_size
        self.dataset = dataset
        self.batches, self.first_time = [], []
        for first in range(0, shared, batch_size):
            part = (min(first + batch_size, shared) - first) // world_size
            own = range(first + rank * part, first + (rank + 1) * part)
            self.batches.append([places[i % size] for i in own])
            self.first_time.append([i < size for i in own])

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[Key]]:
        # The index is the seed, so that a sequence's frames do not depend on how the work is shared out.
        yield from ([(index, index) for index in batch] for batch in self.batches)


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
        num_workers: processes that read ahead, as far as there are cores for them; 0 reads in this one.
        pin_memory: put batches into page-locked memory, for a faster way to a GPU.

    Raises:
        UserError: while iterating, for a file that cannot be used.
    """
    num_workers = min(num_workers, os.cpu_count() or 1)  # PyTorch would warn, and every config asks for four
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
