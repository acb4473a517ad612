"""Distances of many embeddings to many others, a piece of each at a time."""

from collections.abc import Iterator

import numpy as np
import torch

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.evaluation.retrieval import distance_blocks
from opengait_meshgait.inference.embeddings import Embeddings

# Sequences of either side in memory at once: with 256 channels and 16 parts, 67 MB.
_PIECE = 4096


def distance_pieces(
    probes: Embeddings, gallery: Embeddings, metric: str, device: torch.device
) -> Iterator[tuple[slice, slice, torch.Tensor]]:
    """Distances as :func:`~opengait_meshgait.evaluation.retrieval.distance_blocks` gives them, in bounded memory.

    Yields:
        The rows of a block among the probes, its columns in the gallery, and the distances, on ``device``.

    Raises:
        UserError: an embedding is NaN or infinite.
    """
    for rows in _pieces(len(probes)):
        left = _loaded(probes, rows, device)
        for columns in _pieces(len(gallery)):
            for part, block in distance_blocks(left, _loaded(gallery, columns, device), metric):
                yield slice(rows.start + part.start, rows.start + part.stop), columns, block


def nearest(
    probes: Embeddings, gallery: Embeddings, top: int, metric: str, device: torch.device
) -> tuple[np.ndarray, np.ndarray]:
    """The nearest people, each by the nearest of their sequences.

    Args:
        probes: n of them.
        gallery: of people that may have many sequences.
        top: k, how many people; fewer where the gallery has fewer.
        metric: ``euc`` or ``cos``.
        device: where to compute.

    Returns:
        Distances float32 [n, k], nearest first, and the gallery's sequences, int64 [n, k].

    Raises:
        UserError: an embedding is NaN or infinite.
    """
    people, codes = np.unique(gallery.labels, return_inverse=True)
    codes = torch.from_numpy(codes).to(device)
    top = min(top, len(people))
    best = torch.full((len(probes), top), torch.inf, device=device)
    where = torch.full_like(best, -1, dtype=torch.long)
    for rows, columns, block in distance_pieces(probes, gallery, metric, device):
        values, found = _nearest_of_block(block, codes[columns], top)
        values = torch.cat([best[rows], values], 1)
        found = torch.cat([where[rows], found + columns.start], 1)
        values, order = values.sort(dim=1, stable=True)
        found = found.gather(1, order)
        # Empty places, -1, are no person: infinitely far, they stay behind whoever they are taken for.
        values[~_first_of_each(torch.where(found < 0, -1, codes[found]))] = torch.inf
        best[rows], order = values.topk(top, largest=False)
        where[rows] = found.gather(1, order)
    return best.cpu().numpy(), where.cpu().numpy()


def _nearest_of_block(block: torch.Tensor, codes: torch.Tensor, top: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Of distances [b, m] to sequences of the people ``codes`` [m], those to the nearest people, and their columns."""
    top, width = min(top, len(codes.unique())), block.shape[1]
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


def _first_of_each(codes: torch.Tensor) -> torch.Tensor:
    """Whether a number is the first of its kind in its row: [b, k] -> bool [b, k]."""
    ordered, places = codes.sort(dim=1, stable=True)
    first = torch.ones_like(ordered, dtype=torch.bool)
    first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    return torch.zeros_like(first).scatter(1, places, first)


def _pieces(number: int) -> Iterator[slice]:
    for start in range(0, number, _PIECE):
        yield slice(start, min(start + _PIECE, number))


def _loaded(embeddings: Embeddings, rows: slice, device: torch.device) -> torch.Tensor:
    # In memory the parts come first, as they are compared: each copy of a piece costs as much as reading it.
    values = torch.from_numpy(np.array(embeddings.values[rows].transpose(2, 0, 1), order="C")).to(device)
    values = values.permute(1, 2, 0)
    # A sum takes far less time than a look at each number, and is finite only where all of them are.
    if not values.sum().isfinite():
        bad = (~values.isfinite().all(2).all(1)).nonzero().flatten()
        if len(bad):
            name = embeddings.names[rows.start + int(bad[0])]
            raise UserError(
                f"{embeddings.source}: the embedding of {name} is NaN or infinite. Embed again with another model."
            )
    return values
