"""Distances of many embeddings to many others, a piece of each at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.evaluation.retrieval import CHUNK, find_matches, for_products, product_distances
from opengait_meshgait.inference.embeddings import Embeddings

INDEXES = ("exact", "faiss")
# Sequences of either side in memory at once: with 256 channels and 16 parts, 67 MB.
_PIECE = 4096


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


class SearchIndex:
    """A gallery in memory, laid out for search: for many small batches of probes, and for several threads at once.

    It takes as much memory as the embeddings, and finds exactly who is nearest.

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
            UserError: an embedding is NaN or infinite.
        """
        self.gallery, self.metric, self.device = gallery, metric or gallery.metric, torch.device(device)
        people, codes = np.unique(gallery.labels, return_inverse=True)
        self._people, self._codes = len(people), torch.from_numpy(codes)
        self._kept = [*self._pieces()] if keep else None

    def nearest(self, probes: Embeddings, top: int) -> tuple[np.ndarray, np.ndarray]:
        """The nearest people, each by the nearest of their sequences.

        Args:
            probes: n of them.
            top: k, how many people; fewer where the gallery has fewer.

        Returns:
            Distances float32 [n, k], nearest first, and the gallery's sequences, int64 [n, k].

        Raises:
            UserError: an embedding is NaN or infinite.
        """
        top = min(top, self._people)
        best = torch.full((len(probes), top), torch.inf, device=self.device)
        where = torch.full_like(best, -1, dtype=torch.long)
        codes = self._codes.to(self.device)
        for rows in slices(len(probes), _PIECE):
            values = laid_out(probes, rows, self.metric, -1, self.device)
            for piece in self._kept or self._pieces():
                for part in slices(values.shape[1], CHUNK):
                    block = product_distances(values[:, part], piece.values, self.metric)
                    own = slice(rows.start + part.start, rows.start + part.stop)
                    # Most probes have nobody nearer in a piece than in those before it.
                    changed = own.start + (block.amin(1) < best[own, -1]).nonzero()[:, 0]
                    if len(changed):
                        block = block[changed - own.start]
                        before = best[changed], where[changed]
                        if before[0][:, -1].isinf().any():
                            found = _nearest_of_block(block, codes[piece.columns], top, piece.people)
                        else:
                            found = _nearer_than(block, before[0][:, -1:])
                        best[changed], where[changed] = merge_nearest(*before, *found, codes, piece.columns.start)
        return best.cpu().numpy(), where.cpu().numpy()

    def _pieces(self) -> Iterator[_Piece]:
        for columns in slices(len(self.gallery), _PIECE):
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
    for rows in slices(len(probes), _PIECE):
        left = laid_out(probes, rows, metric, -1, device)
        for columns in slices(len(gallery), _PIECE):
            right = laid_out(gallery, columns, metric, 1, device)
            for part in slices(left.shape[1], CHUNK):
                block = product_distances(left[:, part], right, metric)
                yield slice(rows.start + part.start, rows.start + part.stop), columns, block


def merge_nearest(
    best: torch.Tensor,
    where: torch.Tensor,
    values: torch.Tensor,
    columns: torch.Tensor,
    codes: torch.Tensor,
    start: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The nearest people of those so far, and of the piece of the gallery that begins at ``start``.

    Args:
        best, where: distances and places [b, k] so far, each of another person; infinite and -1 where there is nobody.
        values, columns: distances and places in the piece [b, m].
        codes: the people of the whole gallery.
        start: of the piece.

    Returns:
        Distances and places [b, k], the nearest first.
    """
    top = best.shape[1]
    values = torch.cat([best, values], 1)
    found = torch.cat([where, columns + start], 1)
    values, order = values.sort(dim=1, stable=True)
    found = found.gather(1, order)
    # Empty places, -1, are no person: infinitely far, they stay behind whoever they are taken for.
    values[~_first_of_each(torch.where(found < 0, -1, codes[found]))] = torch.inf
    values, order = values.topk(top, largest=False)
    return values, found.gather(1, order)


def _nearest_of_block(
    block: torch.Tensor, codes: torch.Tensor, top: int, people: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Of distances [b, m] to sequences of the people ``codes`` [m], so many of them, those to the nearest people, and
    their columns."""
    top, width = min(top, people), block.shape[1]
    # A person may have many near sequences: more and more are looked at until enough people are among them.
    number = min(4 * top, width)
    while True:
        values, columns = block.topk(number, largest=False)
        first = _first_of_each(codes[columns])
        if number == width or (first.sum(1) >= top).all():
            break
        number = min(4 * number, width)
    values, order = values.masked_fill(~first, torch.inf).topk(top, largest=False)
    return values, columns.gather(1, order)


def _nearer_than(block: torch.Tensor, limits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The distances in ``block [b, m]`` below a row's limit ``[b, 1]``, and their columns; both ``[b, k]``, infinitely
    far in the places that a row has too many."""
    found = find_matches(block, block < limits)
    return found.distance.masked_fill(~found.there, torch.inf), found.places


def _first_of_each(codes: torch.Tensor) -> torch.Tensor:
    """Whether a number is the first of its kind in its row: [b, k] -> bool [b, k]."""
    ordered, places = codes.sort(dim=1, stable=True)
    first = torch.ones_like(ordered, dtype=torch.bool)
    first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    return torch.zeros_like(first).scatter(1, places, first)


def slices(number: int, size: int) -> Iterator[slice]:
    """Pieces of 0…``number``, at most ``size`` long, in order."""
    for start in range(0, number, size):
        yield slice(start, min(start + size, number))


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
