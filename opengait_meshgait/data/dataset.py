"""A dataset in OpenGait's layout, checked before the training starts."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
from torch.utils.data import Dataset
from tqdm import tqdm

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.data.collate import FrameSampling, GaitSequence
from opengait_meshgait.data.layout import SequenceInfo, check_alike, find_sequences, list_problems, read_partition
from opengait_meshgait.data.reader import Arrays, read_sequence, usable_bodies
from opengait_meshgait.data.several import as_several


class SequenceTable:
    """Sequences, and who and what they show.

    Args:
        parts: the sequences of each data set, in any order; of different ids.

    Attributes:
        seqs: one :class:`SequenceInfo` a sequence, in that order.
        label_list, types_list, views_list: id, type and view of each sequence.
        label_set: the ids, sorted.
        label_sets: those of each data set, sorted.
        indices_dict: the places of each id's sequences.
    """

    def __init__(self, *parts: list[SequenceInfo]):
        self.seqs = seqs = [*chain.from_iterable(parts)]
        self.label_list = [info.label for info in seqs]
        self.types_list = [info.type for info in seqs]
        self.views_list = [info.view for info in seqs]
        self.label_set = sorted(set(self.label_list))
        self.indices_dict: dict[str, list[int]] = {label: [] for label in self.label_set}
        for index, label in enumerate(self.label_list):
            self.indices_dict[label].append(index)
        self.label_sets = [sorted({info.label for info in part}) for part in parts]

    def __len__(self) -> int:
        return len(self.seqs)


class GaitDataset(SequenceTable, Dataset):
    """The sequences of one split.

    Args:
        data_cfg: the YAML's ``data_cfg``. Read here are ``dataset_root`` (``root/id/type/view/*.pkl``),
            ``dataset_partition``, ``data_in_use`` (which of a folder's pickles, sorted, may be used), ``cache`` (read
            all sequences now and keep them; forked worker processes share them) and ``others``, further data sets to
            train on (:mod:`~opengait_meshgait.data.several`): labels are ``<dataset_name>-<id>`` then, as in OpenGait.
        split: ``train``, ``val`` or ``test``: the partition's ``TRAIN_SET``, ``VAL_SET`` or ``TEST_SET``.
        with_bodies: whether to read bodies and their weights besides the silhouettes.
        frames: which frames of a sequence to take.

    The table is in the partition's order of people, then type, then view; labels of batches are places in its
    ``label_set``.

    Raises:
        UserError: what is missing, ambiguous or, with ``cache``, unreadable.
    """

    def __init__(self, data_cfg: Mapping[str, Any], split: str, with_bodies: bool, frames: FrameSampling):
        several = as_several(data_cfg) if split == "train" else [data_cfg]
        found = [_find(cfg, split, with_bodies, named=len(several) > 1) for cfg in several]
        super().__init__(*found)
        self.frames = frames
        self._places = {label: place for place, label in enumerate(self.label_set)}
        self._cache: dict[int, Arrays] | None = {} if data_cfg.get("cache") else None
        if len(several) > 1:
            _check_alike(self, found, with_bodies)
        if self._cache is not None:
            check_sequences(self)

    def load(self, index: int) -> Arrays:
        """All frames of a sequence.

        Returns:
            Silhouettes uint8 [T, h, w], 0…255; bodies float32 [T, 85] or [T, 24, 3], or None; their weights float32
            [T], or None.

        Raises:
            UserError: a file that cannot be used; the message names it.
        """
        if self._cache is not None and index in self._cache:
            return self._cache[index]
        info = self.seqs[index]
        arrays = read_sequence(info.sils_path, info.bodies_path, info.weights_path)
        if self._cache is not None:
            self._cache[index] = arrays
        return arrays

    def silhouette_size(self) -> list[int]:
        """Height and width of the first sequence's silhouettes, px; all must be alike.

        Raises:
            UserError: its files cannot be used.
        """
        return list(self.load(0)[0].shape[1:])

    def __getitem__(self, key: tuple[int, int]) -> GaitSequence:
        """The frames drawn from sequence ``index`` with ``seed``; ``key`` is the pair of them."""
        index, seed = key
        info = self.seqs[index]
        sils, bodies, weights = self.load(index)
        chosen = self.frames.sample(len(sils), np.random.default_rng(seed))
        return GaitSequence(
            sils=sils[chosen],
            bodies=None if bodies is None else bodies[chosen],
            weights=None if weights is None else weights[chosen],
            label=self._places[info.label],
            type=info.type,
            view=info.view,
            index=index,
            seed=seed,
            name=info.name,
        )


def _find(data_cfg: Mapping[str, Any], split: str, with_bodies: bool, named: bool) -> list[SequenceInfo]:
    """The sequences of one data set's split; ``named``: the labels with its name."""
    labels = read_partition(data_cfg["dataset_partition"], split)
    found = find_sequences(data_cfg["dataset_root"], labels, with_bodies, data_cfg.get("data_in_use"))
    return [replace(info, label=f"{data_cfg['dataset_name']}-{info.label}") for info in found] if named else found


def _check_alike(dataset: GaitDataset, found: Sequence[list[SequenceInfo]], with_bodies: bool) -> None:
    """Make sure that the sequences of several data sets can be in one batch, as they are where the LDA head is fitted.

    Raises:
        UserError: silhouettes of different sizes, or bodies of different kinds.
    """
    if with_bodies:
        check_alike(dataset.seqs)
    first = [sum(map(len, found[:place])) for place in range(len(found))]
    sizes = {dataset.seqs[index].name: dataset.load(index)[0].shape[1:] for index in first}
    if len({*sizes.values()}) > 1:
        listed = ", ".join(f"{name} {height}×{width}" for name, (height, width) in sizes.items())
        raise UserError(
            f"The silhouettes of data_cfg's data sets differ in size (height×width): {listed}. Prepare them alike "
            "(meshgait prepare)."
        )


def check_sequences(dataset: GaitDataset, sample: int | None = None) -> tuple[int, int]:
    """Read all sequences, or an evenly spread sample of so many, so that bad files are known before the training.

    Returns:
        How many were read, and how many of them have a body in some frame.

    Raises:
        UserError: the number of sequences that cannot be used, and the first few of them with the reason; silhouettes
            of another size than the first sequence's are one.
    """
    number = len(dataset) if sample is None else min(sample, len(dataset))
    problems, with_body, first = [], 0, None
    for index in tqdm(np.linspace(0, len(dataset) - 1, number).round().astype(int).tolist(), "reading", disable=None):
        try:
            sils, bodies, weights = dataset.load(index)
        except UserError as error:
            problems.append(str(error))
            continue
        first = first or sils.shape[1:]
        if sils.shape[1:] != first:
            sizes = [f"{height} x {width}" for height, width in (sils.shape[1:], first)]
            problems.append(
                f"{dataset.seqs[index].sils_path} holds silhouettes of {sizes[0]} px, and those before it are of "
                f"{sizes[1]} px. Prepare the whole dataset with one size."
            )
            continue
        with_body += bodies is not None and bool(usable_bodies(bodies, weights).any())
    if problems:
        raise UserError(list_problems(f"{len(problems)} of {number} sequences that were read are unusable", problems))
    return number, with_body
