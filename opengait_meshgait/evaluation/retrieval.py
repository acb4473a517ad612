"""Distances of embeddings, a block of probes at a time, and Rank-k, average precision and inverse negative penalty.

Of gallery sequences at the same distance, the one that stands first in the gallery ranks first, whatever the device.
"""

import functools
from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F

from opengait_meshgait.common.errors import UserError, did_you_mean

METRICS = ("euc", "cos")
CHUNK = 256
"""Probes in a block: with 20,000 gallery sequences a block takes 20 MB."""
NEVER = torch.iinfo(torch.int64).max
"""The rank of a match that is not in the gallery: no Rank-k reaches it."""


def distance_blocks(
    probes: torch.Tensor, gallery: torch.Tensor, metric: str = "euc", chunk: int = CHUNK
) -> Iterator[tuple[slice, torch.Tensor]]:
    """Distances of ``chunk`` probes after the other to the whole gallery.

    ``euc`` is the Euclidean distance averaged over the parts, ``cos`` one minus the cosine averaged over the parts, as
    in OpenGait. Computed in float32 on the embeddings' device, one part at a time: besides the embeddings only a few
    matrices ``[chunk, m]`` are ever held.

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
    # One matrix a part: [p, n, c] and [p, m, c].
    probes, gallery = (x.float().permute(2, 0, 1).contiguous() for x in (probes, gallery))
    if metric == "cos":
        probes, gallery = F.normalize(probes, dim=2), F.normalize(gallery, dim=2)
    squares = [x.square().sum(2) for x in (probes, gallery)]
    if metric == "euc":
        probes = probes * -2
    for start in range(0, probes.shape[1], chunk):
        rows = slice(start, min(start + chunk, probes.shape[1]))
        pairs = zip(probes[:, rows], gallery, squares[0][:, rows], squares[1])
        block = functools.reduce(torch.Tensor.add_, (_part(*pair, metric) for pair in pairs))
        yield rows, block.div_(len(probes))


def _part(
    x: torch.Tensor, y: torch.Tensor, x_squares: torch.Tensor, y_squares: torch.Tensor, metric: str
) -> torch.Tensor:
    """One part's distances ``[b, t]``, from products of ``[b, c]`` and ``[t, c]`` and from the sums of squares."""
    products = x @ y.T
    if metric == "cos":
        return products.neg_().add_(1)
    return products.add_(x_squares[:, None]).add_(y_squares).relu_().sqrt_()


class Retrieval(NamedTuple):
    """Figures of the probes of a block.

    Attributes:
        rank: ``[b]`` int64, how many wrong gallery sequences come before the first right one.
        ap: ``[b]`` float64, average precision: the mean, over the right sequences, of the share of right ones up to
            there.
        inp: ``[b]`` float64, inverse negative penalty (Ye et al., "Deep Learning for Person Re-identification: A
            Survey and Outlook", 2021): the share of right sequences up to the last right one.
    """

    rank: torch.Tensor
    ap: torch.Tensor
    inp: torch.Tensor


def first_match(distance: torch.Tensor, match: torch.Tensor) -> torch.Tensor:
    """How many gallery sequences come before the first right one; no sorting.

    Args:
        distance: ``[b, m]``, without NaN.
        match: ``[b, m]`` bool, which gallery sequences are of the probe's identity.

    Returns:
        ``[b]`` int64 from 0, :data:`NEVER` where no sequence matches. Rank-k is the share that is below k.
    """
    nearest, column = distance.masked_fill(~match, torch.inf).min(1, keepdim=True)
    earlier = torch.arange(distance.shape[1], device=distance.device) < column
    before = (distance < nearest) | (distance == nearest) & earlier
    return before.sum(1).masked_fill(~match.any(1), NEVER)


def retrieve(distance: torch.Tensor, match: torch.Tensor) -> Retrieval:
    """Rank of the first match, average precision and inverse negative penalty, on the CPU whatever the device.

    Args:
        distance, match: as for :func:`first_match`; at least one match a probe.

    Raises:
        ValueError: a probe has no match.
    """
    hits = _in_order(distance, match)
    probe, rank = (index.cpu() for index in hits.nonzero(as_tuple=True))
    count = torch.bincount(probe, minlength=len(distance))
    if not count.all():
        raise ValueError(f"expected a match for each of {len(distance)} probes, got {int((count == 0).sum())} without")
    end = count.cumsum(0)
    ordinal = torch.arange(len(probe)) - (end - count)[probe] + 1
    precision = ordinal.double() / (rank + 1)
    ap = torch.zeros(len(distance), dtype=torch.float64).index_add_(0, probe, precision) / count
    return Retrieval(rank[end - count], ap, precision[end - 1])


def nearest_places(distance: torch.Tensor, number: int) -> torch.Tensor:
    """Places ``[b, number]`` int64 of the nearest gallery sequences, the nearest first."""
    keys = _keys(distance, torch.arange(distance.shape[1], device=distance.device))
    return keys.topk(number, largest=False).values & 0xFFFFFFFF


def _in_order(distance: torch.Tensor, match: torch.Tensor) -> torch.Tensor:
    """``match [b, m]``, each row from the nearest gallery sequence to the farthest.

    Distance, place in the gallery and match are packed into one whole number, and these are sorted: twice as fast as
    sorting places by their distances.
    """
    keys = _keys(distance, 2 * torch.arange(distance.shape[1], device=distance.device))
    keys += match
    if keys.is_cpu:
        keys.numpy().sort(axis=1)  # many times as fast as PyTorch's here
    else:
        keys = keys.sort(dim=1).values
    return (keys & 1).bool()


def _keys(distance: torch.Tensor, low: torch.Tensor) -> torch.Tensor:
    """Whole numbers in the order of ``distance [b, m]`` and, where that is the same, of ``low [m]``, their lower 32
    bits."""
    # Of finite floats without a negative zero, the bits are in order as whole numbers once those of negative ones are
    # turned round.
    bits = (distance.float() + 0.0).view(torch.int32)
    bits ^= (bits >> 31) & torch.iinfo(torch.int32).max
    keys = bits.long()
    keys <<= 32
    keys += low
    return keys


def rank_k(ranks: torch.Tensor, k: int) -> float:
    """Share of probes, in percent, whose first match is among the first ``k``."""
    return (ranks < k).double().mean().item() * 100
