"""Cross-view figures: Rank-k by pair of views, mAP and mINP over views; identical views excluded."""

from collections.abc import Sequence

import numpy as np
import torch

from opengait_meshgait.evaluation.results import Figures, ProbeHits
from opengait_meshgait.evaluation.retrieval import (
    CMC_RANKS,
    NEVER,
    count_before,
    cumulative_match,
    distance_blocks,
    find_matches,
    rank_k,
    retrieve,
)
from opengait_meshgait.evaluation.split import Compared


def cross_view_figures(
    embeddings: torch.Tensor,
    labels: torch.Tensor,
    views: np.ndarray,
    number: int,
    compared: Compared,
    ranks: Sequence[int],
    metric: str,
    chunk: int,
) -> Figures:
    """Rank-k, mAP and mINP, averaged over different views as for CASIA-B and OUMVLP.

    Each cell of a table is the share of the probes of one view that find their identity among the first k gallery
    sequences of another view (Yu et al., "A Framework for Evaluating the Effect of View Angle, Clothing and Carrying
    Condition on Gait Recognition", 2006). The figure leaves the diagonal out, averages over gallery views, then over
    probe views. A probe whose identity is absent from a gallery view is a miss there, as in OpenGait; pairs of views
    without probes or without gallery are left out.

    The average precision of a probe is taken over the gallery sequences of all other views together, so that it also
    tells whether the person ranks high in views where recognition is hard. It is 0 where the identity is absent. The
    mAP is its mean over the probes of each view, then over these; the mINP is that of the inverse negative penalties
    (:class:`~opengait_meshgait.evaluation.retrieval.Retrieval`). OpenGait has no such figures for these data sets.

    Args:
        embeddings: ``[n, c, p]`` on any device.
        labels: ``[n]`` int64 on that device.
        views: ``[n]`` int64, below ``number``.
        number: of views.
        compared: gallery and probes.
        ranks: the k of Rank-k.
        metric: ``euc`` or ``cos``.
        chunk: probes compared at a time.

    Returns:
        Metrics and tables ``R<k>``; metrics ``mAP`` and ``mINP``; the CMC.
    """
    probe = compared.probes
    gallery = compared.gallery[np.argsort(views[compared.gallery], kind="stable")]
    bounds = np.searchsorted(views[gallery], np.arange(number + 1))
    compares = ~np.eye(number, dtype=bool) & (np.diff(bounds) > 0)
    slices = [(view, int(start), int(end)) for view, (start, end) in enumerate(zip(bounds, bounds[1:])) if start < end]
    gallery_view = torch.from_numpy(views[gallery]).to(embeddings.device)

    rank = torch.full((len(probe), number), NEVER)
    ap, inp = (torch.zeros(len(probe), dtype=torch.float64) for _ in range(2))
    for rows, block in distance_blocks(embeddings[probe], embeddings[gallery], metric, chunk):
        matches = find_matches(block, labels[probe[rows], None] == labels[gallery])
        match_view, probe_view = gallery_view[matches.places], torch.from_numpy(views[probe[rows]]).to(block.device)
        elsewhere = torch.zeros_like(matches.places)
        for view, start, end in slices:
            before = count_before(block[:, start:end], matches, start)
            rank[rows, view] = retrieve(before, matches.there & (match_view == view)).rank
            elsewhere += before * (probe_view != view)[:, None]
        # Of all other views together.
        _, ap[rows], inp[rows] = retrieve(elsewhere, matches.there & (match_view != probe_view[:, None]))
    tables = {}
    for k in ranks:
        table = np.full((number, number), np.nan)
        for row in np.unique(views[probe]):
            for column in np.flatnonzero(np.diff(bounds)):
                table[row, column] = rank_k(rank[views[probe] == row, column], k)
        tables[f"R{k}"] = table
    cmc = np.full((number, min(CMC_RANKS, int(np.diff(bounds).max()))), np.nan)
    for row in np.unique(views[probe]):
        if others := np.flatnonzero(compares[row]).tolist():
            own = rank[views[probe] == row]
            cmc[row] = np.mean([cumulative_match(own[:, column], cmc.shape[1]) for column in others], axis=0)
    metrics = {name: _mean_without_diagonal(table) for name, table in tables.items()}
    has_others = compares[views[probe]].any(1)
    for name, each in (("mAP", ap), ("mINP", inp)):
        each[torch.from_numpy(~has_others)] = torch.nan
        by_view = [
            float(each[(views[probe] == row) & has_others].mean()) for row in np.unique(views[probe][has_others])
        ]
        metrics[name] = 100 * float(np.mean(by_view))
    found = np.where(compares[views[probe]], rank.numpy() < 1, np.float32("nan"))
    return Figures(metrics, tables, ProbeHits(probe, found.astype(np.float32), ap.numpy(), inp.numpy()), cmc)


def _mean_without_diagonal(table: np.ndarray) -> float:
    others = np.where(np.eye(len(table), dtype=bool), np.nan, table)
    rows = others[~np.isnan(others).all(1)]
    return float(np.nanmean(rows, axis=1).mean())
