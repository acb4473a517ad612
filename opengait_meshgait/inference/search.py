"""Distances of many embeddings to many others, a piece of each at a time."""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from opengait_meshgait.common.distributed import pick_device
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.evaluation.retrieval import CHUNK, for_products, product_distances
from opengait_meshgait.inference.embeddings import Embeddings, check_comparable, require_embeddings
from opengait_meshgait.inference.nearest import merge_nearest, nearer_than, nearest_of_block
from opengait_meshgait.inference.requests import RequestQueue

INDEXES = ("exact", "faiss")
# Of either side in memory at once, at most: numbers, 67 MB, and sequences.
_NUMBERS, _PIECE = 2**24, 8192


class _Piece(NamedTuple):
    """Some sequences of a gallery, laid out for products; how many people they are of."""

    columns: slice
    values: torch.Tensor
    people: int


@dataclass(frozen=True)
class Recall:
    """What an approximate search finds of what exact search finds.

    Attributes:
        looked_at: lists of the index that are looked at for a probe.
        lists: all of them.
        probes: how many were searched both ways.
        nearest: share of these whose nearest person is the same, 0…1.
        top: k, how many people are named.
        people: share of the k nearest people who are found, 0…1.
    """

    looked_at: int
    lists: int
    probes: int
    nearest: float
    top: int
    people: float

    def in_words(self) -> str:
        """One sentence."""
        more = "" if self.top == 1 else f", and {self.people:.1%} of the {self.top} nearest people are found"
        return (
            f"Approximate search looks at {self.looked_at} of {self.lists} lists (faiss): for {self.nearest:.1%} of "
            f"{self.probes} probes that were also searched exactly, the nearest person is the same{more}."
        )


def check_request(gallery: Embeddings, probes: Embeddings, top: int) -> None:
    """Refuse what cannot be searched for.

    Raises:
        UserError: one of the two is no :class:`Embeddings`, they are of different models, or ``top`` is below 1.
    """
    require_embeddings(gallery, "gallery")
    require_embeddings(probes, "probes")
    if not isinstance(top, int | np.integer) or top < 1:
        raise UserError(f"--top is {top}: give 1 or more.")
    check_comparable(gallery, probes)


class SearchIndex:
    """A gallery in memory, laid out for search: for many small batches of probes, and for several threads at once.

    It takes as much memory as the embeddings, and finds exactly who is nearest. Requests of several threads that meet
    are answered together, by as many threads at once as the machine has cores for: after ``torch.set_num_threads(1)``
    one for each core.

    Attributes:
        gallery: the people who can be recognised.
        metric: ``euc`` or ``cos``.
        device: where it lies.
        recall: of an index that is approximate, on a sample of probes; None: this one is exact.
    """

    recall: Recall | None = None

    def __init__(
        self, gallery: Embeddings, metric: str | None = None, device: str | torch.device = "cpu", keep: bool = True
    ):
        """Lay the gallery out.

        Args:
            gallery: of people who may have many sequences.
            metric: None: as the model's config says.
            device: where to search.
            keep: in memory; else each search reads it from disk again.

        Raises:
            UserError: the gallery is empty or no :class:`Embeddings`; an embedding is NaN or infinite.
        """
        require_embeddings(gallery, "gallery")
        if not len(gallery):
            raise UserError("The gallery has no sequences.")
        self.gallery, self.metric, self.device = gallery, metric or gallery.metric, pick_device(device)
        people, codes = np.unique(gallery.labels, return_inverse=True)
        self._people, self._codes = len(people), torch.from_numpy(codes)
        self._kept = [*self._pieces()] if keep else None
        turns = (os.cpu_count() or 1) // torch.get_num_threads() if self.device.type == "cpu" else 1
        self._requests = RequestQueue(self._nearest, CHUNK, max(turns, 1))

    def nearest(self, probes: Embeddings, top: int) -> tuple[np.ndarray, np.ndarray]:
        """The nearest people, each by the nearest of their sequences.

        Args:
            probes: n of them.
            top: k, how many people; fewer where the gallery has fewer.

        Returns:
            Distances float32 [n, k], nearest first, and the gallery's sequences, int64 [n, k].

        Raises:
            UserError: the probes are of another model, or ``top`` is below 1; an embedding is NaN or infinite.
        """
        check_request(self.gallery, probes, top)
        top = min(top, self._people)
        distances, places = np.empty((len(probes), top), np.float32), np.empty((len(probes), top), np.int64)
        for rows in _pieces_of(probes):
            found = self._requests.ask(laid_out(probes, rows, self.metric, -1, self.device), top)
            distances[rows], places[rows] = (each.cpu().numpy() for each in found)
        return distances, places

    def _nearest(self, probes: torch.Tensor, top: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Distances and places [b, k] of the people nearest to probes that are laid out."""
        squares = self.metric == "euc" and len(probes) == 1
        best = torch.full((probes.shape[1], top), torch.inf, device=self.device)
        where = torch.full_like(best, -1, dtype=torch.long)
        codes = self._codes.to(self.device)
        for piece in self._kept or self._pieces():
            for rows in slices(probes.shape[1], CHUNK):
                if squares:  # of a single part, they order as the distances do
                    block = probes[0, rows] @ piece.values[0].T
                else:
                    block = product_distances(probes[:, rows], piece.values, self.metric)
                if best[rows, -1].isinf().any():
                    changed = torch.arange(rows.start, rows.stop, device=self.device)
                    found = nearest_of_block(block, codes[piece.columns], top, piece.people)
                else:
                    own, values, columns = nearer_than(block, best[rows, -1])
                    changed, found = rows.start + own, (values, columns)
                if len(changed):
                    before = best[changed], where[changed]
                    best[changed], where[changed] = merge_nearest(*before, *found, codes, piece.columns.start)
        # Of the same silhouettes, a square may be a rounding error below zero.
        return best.clamp_(min=0).sqrt_() if squares else best, where

    def _pieces(self) -> Iterator[_Piece]:
        for columns in _pieces_of(self.gallery):
            people = len(self._codes[columns].unique())
            yield _Piece(columns, laid_out(self.gallery, columns, self.metric, 1, self.device), people)


def distance_pieces(
    probes: Embeddings, gallery: Embeddings, metric: str, device: torch.device
) -> Iterator[tuple[slice, slice, torch.Tensor]]:
    """Distances as :func:`~opengait_meshgait.evaluation.retrieval.distance_blocks` gives them, in bounded memory.

    Yields:
        The rows of a block among the probes, its columns in the gallery, and the distances, on ``device``.

    Raises:
        UserError: an embedding is NaN or infinite.
    """
    for rows in _pieces_of(probes):
        left = laid_out(probes, rows, metric, -1, device)
        for columns in _pieces_of(gallery):
            right = laid_out(gallery, columns, metric, 1, device)
            for part in slices(left.shape[1], CHUNK):
                block = product_distances(left[:, part], right, metric)
                yield slice(rows.start + part.start, rows.start + part.stop), columns, block


def slices(number: int, size: int) -> Iterator[slice]:
    """Pieces of 0…``number``, at most ``size`` long, in order."""
    for start in range(0, number, size):
        yield slice(start, min(start + size, number))


def _pieces_of(embeddings: Embeddings) -> Iterator[slice]:
    each = math.prod(embeddings.values.shape[1:])
    return slices(len(embeddings), min(_PIECE, max(_NUMBERS // each, 1)))


def laid_out(embeddings: Embeddings, rows: slice, metric: str, sign: int, device: torch.device) -> torch.Tensor:
    """Some sequences, laid out by :func:`~opengait_meshgait.evaluation.retrieval.for_products`.

    Raises:
        UserError: an embedding is NaN or infinite.
    """
    values = torch.from_numpy(np.array(embeddings.values[rows])).to(device)
    found = for_products(values, metric, sign)
    # A sum takes far less time than a look at each number, and is finite only where all of them are.
    if not found.sum().isfinite():
        bad = (~values.isfinite().all(2).all(1)).nonzero().flatten()
        if len(bad):
            name = embeddings.names[rows.start + int(bad[0])]
            raise UserError(
                f"{embeddings.source}: the embedding of {name} is NaN or infinite. Embed again with another model."
            )
    return found
