"""Retrieval figures: each probe against its whole gallery, as for Gait3D."""

from collections.abc import Sequence

import numpy as np
import torch

from opengait_meshgait.evaluation.results import Figures, ProbeHits
from opengait_meshgait.evaluation.retrieval import (
    CMC_RANKS,
    Retrieval,
    count_before,
    cumulative_match,
    distance_blocks,
    find_matches,
    nearest_places,
    rank_k,
    retrieve,
)
from opengait_meshgait.evaluation.split import Compared


def retrieval_figures(
    embeddings: torch.Tensor,
    labels: torch.Tensor,
    views: np.ndarray,
    compared: Compared,
    ranks: Sequence[int],
    other_views: bool,
    metric: str,
    chunk: int,
) -> Figures:
    """Rank-k, mean average precision and mean inverse negative penalty.

    Args:
        embeddings: ``[n, c, p]`` on any device.
        labels: ``[n]`` int64 on that device.
        views: ``[n]`` int64.
        compared: gallery and probes; each probe has a match, see :func:`~opengait_meshgait.evaluation.split.has_match`.
        ranks: the k of Rank-k.
        other_views: whether to leave out what shows the probe's own person in the probe's view.
        metric: ``euc`` or ``cos``.
        chunk: probes compared at a time.

    Returns:
        Metrics ``Rank-<k>``, ``mAP`` and ``mINP``, none where there is no probe; no tables; the CMC.
    """
    gallery, probe = compared
    view, blocks = torch.from_numpy(views).to(embeddings.device), []
    for rows, block in distance_blocks(embeddings[probe], embeddings[gallery], metric, chunk):
        match = labels[probe[rows], None] == labels[gallery]
        if other_views:
            own = match & (view[probe[rows], None] == view[gallery])
            # Behind all others, they cost nothing.
            block, match = block.masked_fill_(own, torch.inf), match & ~own
        matches = find_matches(block, match)
        blocks.append(retrieve(count_before(block, matches), matches.there))
    if not blocks:
        nothing = ProbeHits(probe, np.empty((0, 1), np.float32), np.empty(0), np.empty(0))
        return Figures({}, {}, nothing, np.empty((0, 0)))
    found = Retrieval(*(torch.cat(column) for column in zip(*blocks)))
    metrics = {f"Rank-{k}": rank_k(found.rank, k) for k in ranks}
    metrics |= {"mAP": found.ap.mean().item() * 100, "mINP": found.inp.mean().item() * 100}
    hits = ProbeHits(probe, (found.rank < 1).float()[:, None].numpy(), found.ap.numpy(), found.inp.numpy())
    return Figures(metrics, {}, hits, cumulative_match(found.rank, min(CMC_RANKS, len(gallery)))[None])


def nearest_sequences(embeddings: torch.Tensor, compared: Compared, number: int, metric: str, chunk: int) -> np.ndarray:
    """Indices ``[q, number]`` of the gallery sequences that are nearest to each probe, the nearest first."""
    gallery, probe = compared
    blocks = distance_blocks(embeddings[probe], embeddings[gallery], metric, chunk)
    return gallery[np.concatenate([nearest_places(block, number).cpu().numpy() for _, block in blocks])]
