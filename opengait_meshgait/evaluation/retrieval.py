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
    if metric not in METRICS:
        raise UserError(f"Unknown metric '{metric}'. {did_you_mean(str(metric), METRICS)}")
    if probes.ndim != 3 or gallery.ndim != 3 or probes.shape[1:] != gallery.shape[1:]:
        raise ValueError(f"expected [n, c, p] and [m, c, p], got {[*probes.shape]} and {[*gallery.shape]}")
    number = len(probes)
    blocks = _cosine(probes, gallery, chunk) if metric == "cos" else _euclidean(probes, gallery, chunk)
    for start, block in zip(range(0, number, chunk), blocks):
        yield slice(start, min(start + chunk, number)), block


def _cosine(probes: torch.Tensor, gallery: torch.Tensor, chunk: int) -> Iterator[torch.Tensor]:
    parts = probes.shape[2]
    # One product for all parts.
    x, y = (F.normalize(each.float(), dim=1).flatten(1) for each in (probes, gallery))
    for rows in x.split(chunk):
        yield (rows @ y.T).div_(-parts).add_(1)


def _euclidean(probes: torch.Tensor, gallery: torch.Tensor, chunk: int) -> Iterator[torch.Tensor]:
    # Two more channels, so that a matrix product gives squared distances: -2 xy + |x|² 1 + 1 |y|².
    x, y = _with_squares(probes, -2.0), _with_squares(gallery, 1.0)
    x[..., -1], y[..., -2] = 1.0, 1.0
    width = _TILE if x.device.type == "cpu" else len(gallery)
    space = torch.empty(chunk * width, device=x.device)
    for rows in x.split(chunk, dim=1):
        block = torch.zeros(rows.shape[1], len(gallery), device=x.device)
        for start, columns in zip(range(0, len(gallery), width), y.split(width, dim=1)):
            size = rows.shape[1], columns.shape[1]
            part = space[: size[0] * size[1]].view(size)
            total = block[:, start : start + size[1]]
            for own, others in zip(rows, columns):
                torch.mm(own, others.T, out=part)
                total += part.clamp_(min=0).sqrt_()
        yield block.div_(len(x))


def _with_squares(embeddings: torch.Tensor, scale: float) -> torch.Tensor:
    """``scale`` times the embeddings and, in both of two more channels, their sums of squares: ``[p, n, c + 2]``."""
    number, channels, parts = embeddings.shape
    found = torch.empty(parts, number, channels + 2, device=embeddings.device)
    found[..., :channels] = embeddings.permute(2, 0, 1)
    found[..., channels:] = found[..., :channels].square().sum(2, keepdim=True)
    found[..., :channels] *= scale
    return found


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
