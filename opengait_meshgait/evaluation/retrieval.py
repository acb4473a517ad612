"""Distances of embeddings, a block of probes at a time, and Rank-k, average precision and inverse negative penalty.

Of gallery sequences at the same distance, the one that stands first in the gallery ranks first, whatever the device.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from opengait_meshgait.common.errors import UserError, did_you_mean

METRICS = ("euc", "cos")
CHUNK = 256
"""Probes in a block: with 20,000 gallery sequences a block takes 20 MB."""
NEVER = torch.iinfo(torch.int64).max
"""The rank of a match that is not in the gallery: no Rank-k reaches it."""
CMC_RANKS = 50
"""A cumulative match characteristic goes no further."""
_TILE = 1024  # gallery sequences at a time on a CPU: with CHUNK probes, 1 MB, which stays in its cache
_TRANSPOSED = 32  # sequences whose parts are brought to the front at a time, for the same reason


def distance_blocks(
    probes: torch.Tensor, gallery: torch.Tensor, metric: str = "euc", chunk: int = CHUNK
) -> Iterator[tuple[slice, torch.Tensor]]:
    """Distances of ``chunk`` probes after the other to the whole gallery.

    ``euc`` is the Euclidean distance averaged over the parts, ``cos`` one minus the cosine averaged over the parts, as
    in OpenGait. Computed in float32 on the embeddings' device; besides a copy of the embeddings only a few matrices
    ``[chunk, m]`` are ever held.

    Args:
        probes, gallery: ``[n, c, p]`` and ``[m, c, p]``.
        metric: ``euc`` or ``cos``.
        chunk: probes in a block.

    Yields:
        The rows of a block, and the block ``[at most chunk, m]``.

    Raises:
        UserError: the metric is unknown.
        ValueError: the shapes do not belong together.
    """
    if probes.ndim != 3 or gallery.ndim != 3 or probes.shape[1:] != gallery.shape[1:]:
        raise ValueError(f"expected [n, c, p] and [m, c, p], got {[*probes.shape]} and {[*gallery.shape]}")
    x, y = for_products(probes, metric, -1), for_products(gallery, metric, 1)
    for start in range(0, len(probes), chunk):
        rows = slice(start, min(start + chunk, len(probes)))
        yield rows, product_distances(x[:, rows], y, metric)


def for_products(embeddings: torch.Tensor, metric: str, sign: int) -> torch.Tensor:
    """Embeddings laid out so that products of matrices give their distances, see :func:`product_distances`.

    Args:
        embeddings: ``[n, c, p]``.
        metric: ``euc`` or ``cos``.
        sign: -1 for probes, 1 for the gallery.

    Returns:
        For ``euc`` ``[p, n, c + 2]``: the sum of squares of a difference is -2 xy + |x|² 1 + 1 |y|². For ``cos``
        ``[1, n, c p]``: the parts' unit vectors.

    Raises:
        UserError: the metric is unknown.
    """
    if metric not in METRICS:
        raise UserError(f"Unknown metric '{metric}'. {did_you_mean(str(metric), METRICS)}")
    number, channels, parts = embeddings.shape
    if metric == "cos":
        return F.normalize(embeddings.float(), dim=1).flatten(1).mul_(1 if sign > 0 else -1 / parts)[None]
    found = torch.empty(parts, number, channels + 2, device=embeddings.device)
    step = _TRANSPOSED if embeddings.device.type == "cpu" else max(number, 1)
    for rows in map(slice, range(0, number, step), range(step, number + step, step)):
        own = found[:, rows, :channels].copy_(embeddings[rows].permute(2, 0, 1))
        squares = own.square().sum(2)
        if sign < 0:
            own *= -2
        found[:, rows, channels], found[:, rows, channels + 1] = (squares, 1.0) if sign < 0 else (1.0, squares)
    return found


def product_distances(probes: torch.Tensor, gallery: torch.Tensor, metric: str) -> torch.Tensor:
    """Distances ``[b, m]`` of what :func:`for_products` laid out."""
    if metric == "cos":
        return (probes[0] @ gallery[0].T).add_(1)
    block = torch.empty(probes.shape[1], gallery.shape[1], device=probes.device)
    width = _TILE if block.is_cpu else max(block.shape[1], 1)
    parts = torch.empty(2, len(block), min(width, block.shape[1]), device=block.device)
    for start in range(0, block.shape[1], width):
        columns = gallery[:, start : start + width]
        total, part = (each[:, : columns.shape[1]] for each in parts)
        torch.mm(probes[0], columns[0].T, out=total)
        total.clamp_(min=0).sqrt_()
        for own, others in zip(probes[1:], columns[1:]):
            torch.mm(own, others.T, out=part)
            total += part.clamp_(min=0).sqrt_()
        torch.div(total, len(probes), out=block[:, start : start + width])
    return block


def paired_distances(probes: torch.Tensor, others: torch.Tensor, metric: str) -> torch.Tensor:
    """Distances ``[b, m]`` of probes ``[b, c, p]`` to m sequences that each has of its own, ``[b, m, c, p]``."""
    if metric == "cos":
        return 1 - F.cosine_similarity(probes[:, None], others, dim=2).mean(2)
    return torch.linalg.vector_norm(others - probes[:, None], dim=2).mean(2)


class Matches(NamedTuple):
    """The gallery sequences of the probes' identities, ``[b, k]`` with as many columns as the most of a probe.

    Attributes:
        places: int64, in the gallery, ascending; behind the last one anything.
        there: bool, whether there is so many a match.
        distance: of them; -inf where there is none.
    """

    places: torch.Tensor
    there: torch.Tensor
    distance: torch.Tensor


def find_matches(distance: torch.Tensor, match: torch.Tensor) -> Matches:
    """The matches of the probes of a block.

    Args:
        distance: ``[b, m]``, without NaN.
        match: ``[b, m]`` bool, which gallery sequences are of the probe's identity.
    """
    probe, place = match.nonzero(as_tuple=True)
    count = torch.bincount(probe, minlength=len(match))
    there = torch.arange(max(count.tolist(), default=0), device=count.device) < count[:, None]
    places = torch.zeros(there.shape, dtype=torch.int64, device=count.device)
    places[there] = place
    return Matches(places, there, distance.gather(1, places).masked_fill_(~there, -torch.inf))


def count_before(distance: torch.Tensor, matches: Matches, start: int = 0) -> torch.Tensor:
    """How many gallery sequences come before each match: they are nearer or, at the same distance, stand earlier.

    Args:
        distance: ``[b, s]``, to the sequences that are counted.
        matches: of the same probes.
        start: the place in the gallery of the first column of ``distance``.

    Returns:
        ``[b, k]`` int64; anything where there is no match.
    """
    if distance.is_cpu:
        ordered = torch.from_numpy(np.sort(distance.numpy(), axis=1))  # many times as fast as PyTorch's here
    else:
        ordered = distance.sort(dim=1).values
    before = torch.searchsorted(ordered, matches.distance)
    inside = (matches.places >= start) & (matches.places < start + distance.shape[1])
    ties = torch.searchsorted(ordered, matches.distance, right=True) - before - inside.long()
    tied, match = ((ties > 0) & matches.there).nonzero(as_tuple=True)
    if len(tied):
        place = torch.arange(start, start + distance.shape[1], device=distance.device)
        earlier = place < matches.places[tied, match, None]
        before[tied, match] += (earlier & (distance[tied] == matches.distance[tied, match, None])).sum(1)
    return before


class Retrieval(NamedTuple):
    """Figures of the probes of a block.

    Attributes:
        rank: ``[b]`` int64, how many wrong gallery sequences come before the first right one; :data:`NEVER` where no
            sequence is right.
        ap: ``[b]`` float64, average precision: the mean, over the right sequences, of the share of right ones up to
            there; 0 without any.
        inp: ``[b]`` float64, inverse negative penalty (Ye et al., "Deep Learning for Person Re-identification: A
            Survey and Outlook", 2021): the share of right sequences up to the last right one; 0 without any.
    """

    rank: torch.Tensor
    ap: torch.Tensor
    inp: torch.Tensor


def retrieve(ranks: torch.Tensor, there: torch.Tensor) -> Retrieval:
    """Rank of the first match, average precision and inverse negative penalty, on the CPU whatever the device.

    Args:
        ranks: ``[b, k]``, how many gallery sequences come before each match.
        there: ``[b, k]`` bool, whether there is so many a match.
    """
    ranks = ranks.masked_fill(~there, NEVER).sort(dim=1).values.cpu()
    count = there.sum(1).cpu()
    ordinal = torch.arange(1, ranks.shape[1] + 1, dtype=torch.float64)
    precision = torch.where(ordinal <= count[:, None], ordinal / (ranks.double() + 1), 0.0)
    last = precision.gather(1, (count[:, None] - 1).clamp(min=0))[:, 0] if ranks.shape[1] else count.double()
    first = ranks[:, 0] if ranks.shape[1] else torch.full_like(count, NEVER)
    return Retrieval(first, precision.sum(1) / count.clamp(min=1), last)


def nearest_places(distance: torch.Tensor, number: int) -> torch.Tensor:
    """Places ``[b, number]`` int64 of the nearest gallery sequences, the nearest first."""
    return distance.sort(dim=1, stable=True).indices[:, :number]


def rank_k(ranks: torch.Tensor, k: int) -> float:
    """Share of probes, in percent, whose first match is among the first ``k``."""
    return (ranks < k).double().mean().item() * 100


def cumulative_match(ranks: torch.Tensor, number: int) -> np.ndarray:
    """:func:`rank_k` for k = 1 to ``number``, ``[number]``."""
    found = torch.bincount(ranks.clamp(max=number), minlength=number + 1)[:number]
    return 100 * found.cumsum(0).numpy() / len(ranks)
