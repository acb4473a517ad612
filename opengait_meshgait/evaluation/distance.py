"""Distances of embeddings, a block of probes at a time."""

import functools
from collections.abc import Iterator

import torch
import torch.nn.functional as F

from opengait_meshgait.common.errors import UserError, did_you_mean

METRICS = ("euc", "cos")
CHUNK = 256
"""Probes in a block: with 20,000 gallery sequences a block takes 20 MB."""


def distance_blocks(
    probes: torch.Tensor, gallery: torch.Tensor, metric: str = "euc", chunk: int = CHUNK
) -> Iterator[tuple[slice, torch.Tensor]]:
    """Distances of ``chunk`` probes after the other to the whole gallery.

    ``euc`` is the Euclidean distance averaged over the parts, ``cos`` one minus the cosine averaged over the parts, as
    in OpenGait. Computed in float32 on the embeddings' device, one part at a time: besides the embeddings only a few
    matrices ``[chunk, m]`` are ever held.

    Args:
        probes: ``[n, c, p]``.
        gallery: ``[m, c, p]``.
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


def distances(probes: torch.Tensor, gallery: torch.Tensor, metric: str = "euc", chunk: int = CHUNK) -> torch.Tensor:
    """All distances ``[n, m]`` at once, for small sets; arguments and errors as :func:`distance_blocks`."""
    blocks = [block for _, block in distance_blocks(probes, gallery, metric, chunk)]
    return torch.cat(blocks) if blocks else gallery.new_zeros(0, len(gallery), dtype=torch.float32)


def _part(
    x: torch.Tensor, y: torch.Tensor, x_squares: torch.Tensor, y_squares: torch.Tensor, metric: str
) -> torch.Tensor:
    """One part's distances ``[b, t]``, from products of ``[b, c]`` and ``[t, c]`` and from the sums of squares."""
    products = x @ y.T
    if metric == "cos":
        return products.neg_().add_(1)
    return products.add_(x_squares[:, None]).add_(y_squares).relu_().sqrt_()
