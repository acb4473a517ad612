"""Approximate search, for galleries that are too large to look at all of them: candidates of faiss, exact distances."""

import math
from typing import Any, cast

import numpy as np
import torch

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.evaluation.retrieval import CHUNK, paired_distances
from opengait_meshgait.inference.embeddings import Embeddings
from opengait_meshgait.inference.nearest import merge_nearest
from opengait_meshgait.inference.search import Recall, SearchIndex, check_request, laid_out, slices

_SAMPLE = 200  # probes that are searched exactly too: half of them choose how many lists are looked at, half are told
_ENOUGH = 0.99  # of the probes that choose, so many find who is nearest
_TRAINED_ON = 50  # sequences for each list
_BLOCK = 4096
_NUMBERS = 2**24  # of candidates in memory at once, 67 MB
# Candidates for a probe; people with many sequences need more, or they would be all there is.
_LEAST, _MOST = 64, 1024


class FaissIndex(SearchIndex):
    """A gallery in an index of faiss (IVF): sequences that are near each other are in one list, a byte a number, and
    only the lists nearest to a probe are looked at.

    Euclidean distances of single parts, and cosines, order sequences as the index does. The Euclidean distance averaged
    over several parts does not: for candidates, its mean is replaced by a mean of squares. Distances that are
    returned are exact in any case, so that a threshold means the same: who is missed can make a probe unknown,
    and a stranger is never taken for somebody whom exact search rejects.
    """

    def __init__(
        self,
        gallery: Embeddings,
        probes: Embeddings,
        top: int = 5,
        metric: str | None = None,
        device: str | torch.device = "cpu",
    ):
        """Make the index, and look at more and more lists until people are found.

        Args:
            gallery: who can be recognised.
            probes: like those that will be searched for; a sample of them is searched exactly too.
            top: how many people are named, for the recall.
            metric: None: as the model's config says.
            device: where to search exactly; the index itself is searched on the CPU.

        Raises:
            UserError: faiss is not installed; there are no probes, or they are of another model; an embedding is NaN or
                infinite.
        """
        super().__init__(gallery, metric, device, keep=False)
        check_request(gallery, probes, top)
        if not len(probes):
            raise UserError("There are no probes to try the index with. Give some like those to be searched for.")
        number = len(gallery)
        lists = math.isqrt(number)
        self._candidates = min(max(_LEAST, 2 * top * number // self._people), _MOST, number)
        self._index = _empty_index(math.prod(gallery.values.shape[1:]), lists)
        chosen = np.random.default_rng(0).choice(number, min(number, _TRAINED_ON * lists), replace=False)
        trained_on = gallery.take(np.sort(chosen))
        self._index.train(self._vectors(trained_on, slice(0, len(trained_on))))
        del trained_on
        for rows in slices(number, _BLOCK):
            self._index.add(self._vectors(gallery, rows))
        self.recall = self._choose_lists(probes, top)

    def nearest(self, probes: Embeddings, top: int) -> tuple[np.ndarray, np.ndarray]:
        """As :meth:`SearchIndex.nearest`, among candidates; where they are of too few people, among all."""
        check_request(self.gallery, probes, top)
        top = min(top, self._people)
        distances = np.full((len(probes), top), np.inf, np.float32)
        where = np.full(distances.shape, -1)
        for rows in slices(len(probes), CHUNK):
            _, candidates = self._index.search(self._vectors(probes, rows), self._candidates)
            # In the order in which they lie on disk.
            values, places = self._exactly(np.array(probes.values[rows]), np.sort(candidates, axis=1))
            nobody = torch.full((len(places), top), torch.inf), torch.full((len(places), top), -1)
            distances[rows], where[rows] = merge_nearest(*nobody, values, places, self._codes, 0)
        few = np.flatnonzero(np.isinf(distances[:, -1]))
        if len(few):
            distances[few], where[few] = super().nearest(probes.take(few), top)
        return distances, where

    def _exactly(self, probes: np.ndarray, candidates: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Distances [b, m] of probes to candidates [b, m], infinite where there is none, -1; and the candidates."""
        values = torch.empty(candidates.shape)
        each = candidates.shape[1] * math.prod(probes.shape[1:])
        for rows in slices(len(probes), max(_NUMBERS // each, 1)):
            # For -1 anybody is taken.
            own, others = (torch.from_numpy(found) for found in (probes[rows], self.gallery.values[candidates[rows]]))
            values[rows] = paired_distances(own, others, self.metric)
        values[torch.from_numpy(candidates < 0)] = torch.inf
        return values, torch.from_numpy(candidates)

    def _choose_lists(self, probes: Embeddings, top: int) -> Recall:
        """Look at twice as many lists until half of a sample finds who is nearest; the recall of the other half."""
        sample = probes.take(np.linspace(0, len(probes) - 1, min(len(probes), _SAMPLE)).astype(int))
        expected = self._codes.numpy()[super().nearest(sample, top)[1]]
        choosing = np.arange(0, len(sample), 2)
        told = np.arange(1, len(sample), 2) if len(sample) > 1 else choosing
        self._index.nprobe = 1
        while self._index.nprobe < self._index.nlist and self._found(sample, choosing, expected)[0] < _ENOUGH:
            self._index.nprobe = min(2 * self._index.nprobe, self._index.nlist)
        nearest, people = self._found(sample, told, expected)
        return Recall(self._index.nprobe, self._index.nlist, len(told), nearest, expected.shape[1], people)

    def _found(self, sample: Embeddings, rows: np.ndarray, expected: np.ndarray) -> tuple[float, float]:
        """Of the people ``expected`` of some rows, the share of the nearest, and of all, who are found."""
        expected = expected[rows]
        found = self._codes.numpy()[self.nearest(sample.take(rows), expected.shape[1])[1]]
        together = (found[:, :, None] == expected[:, None]).any(1)
        return float((found[:, 0] == expected[:, 0]).mean()), float(together.mean())

    def _vectors(self, embeddings: Embeddings, rows: slice) -> np.ndarray:
        """Some sequences as vectors [n, c p], whose Euclidean distances the index knows."""
        found = laid_out(embeddings, rows, self.metric, 1, torch.device("cpu"))
        # For `euc`, two more columns are squares and ones.
        vectors = found[0] if self.metric == "cos" else found[..., :-2].transpose(0, 1).flatten(1)
        return vectors.contiguous().numpy()


def _empty_index(size: int, lists: int) -> Any:
    """An index of vectors ``[size]`` that is not trained."""
    try:
        import faiss
    except ImportError as error:
        raise UserError(
            "Approximate search needs faiss: pip install 'opengait-meshgait[faiss]'. Exact search needs nothing."
        ) from error
    index = cast(Any, faiss.index_factory(size, f"IVF{lists},SQ8"))
    index.cp.min_points_per_centroid = 1  # it would warn that a small gallery is small
    return index
