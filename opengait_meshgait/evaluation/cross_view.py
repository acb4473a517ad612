"""Cross-view recognition indoors: Rank-k by condition and pair of views, mAP and mINP over views; identical views
excluded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
import torch

from opengait_meshgait.common.errors import UserError, did_you_mean
from opengait_meshgait.evaluation.evaluators import (
    EVALUATORS,
    EvaluationResult,
    ProbeHits,
    Split,
    as_numbers,
    as_strings,
    check_embeddings,
)
from opengait_meshgait.evaluation.retrieval import CHUNK, NEVER, distance_blocks, first_match, rank_k, retrieve

_RANKS = (1, 5)


@dataclass(frozen=True)
class Protocol:
    """Sequence types (shell patterns such as ``nm-*``) that are gallery and, by condition, probes; never both."""

    gallery: Sequence[str]
    probes: Mapping[str, Sequence[str]]


PROTOCOLS = {
    "CASIA-B": Protocol(
        gallery=("nm-01", "nm-02", "nm-03", "nm-04"),
        probes={"NM": ("nm-05", "nm-06"), "BG": ("bg-01", "bg-02"), "CL": ("cl-01", "cl-02")},
    ),
    "OUMVLP": Protocol(gallery=("01",), probes={"NM": ("00",)}),
    "Walkers": Protocol(gallery=("nm-01",), probes={"NM": ("nm-*",), "BG": ("bg-*",), "CL": ("cl-*",)}),
}


def split_indoor_dataset(labels: Sequence, types: Sequence, views: Sequence, dataset: str) -> Split:
    """Gallery and probes by condition; needs no embeddings, so it can be asked before training.

    Args:
        labels: ``n`` identities.
        types: ``n`` sequence types, such as ``nm-01``.
        views: ``n`` views, such as ``090``.
        dataset: a key of :data:`PROTOCOLS`.

    Raises:
        UserError: the protocol is unknown, or there is no gallery, no probe, or no pair of different views.
    """
    if dataset not in PROTOCOLS:
        raise UserError(
            f"No cross-view protocol for test_dataset_name '{dataset}'. {did_you_mean(str(dataset), PROTOCOLS)}"
        )
    protocol = PROTOCOLS[dataset]
    labels, types, views = as_strings(labels), as_strings(types), as_strings(views)
    in_gallery = _matches(types, protocol.gallery)
    if not in_gallery.any():
        raise UserError(_nothing(dataset, "gallery", protocol.gallery, types))
    probe_types = [pattern for patterns in protocol.probes.values() for pattern in patterns]
    if not (_matches(types, probe_types) & ~in_gallery).any():
        raise UserError(_nothing(dataset, "probe", probe_types, types))
    probes, notes = {}, []
    for condition, patterns in protocol.probes.items():
        chosen = _matches(types, patterns) & ~in_gallery
        if not chosen.any():
            notes.append(f"{condition} left out: there is no sequence of type {', '.join(patterns)} to be a probe.")
        elif len({*views[chosen], *views[in_gallery]}) == 1:
            notes.append(f"{condition} left out: probes and gallery have {views[chosen][0]} as their only view.")
        else:
            probes[condition] = np.flatnonzero(chosen)
            strangers = (chosen & ~np.isin(labels, labels[in_gallery])).sum()
            if strangers:
                notes.append(f"{condition}: {strangers} probes of identities without a gallery sequence are misses.")
    if not probes:
        raise UserError(
            f"All probes and gallery sequences have the view {views[in_gallery][0]}, and identical views are not "
            "compared: test on two views or more."
        )
    return Split(np.flatnonzero(in_gallery), probes, notes)


@EVALUATORS.register
def evaluate_indoor_dataset(
    embeddings: torch.Tensor,
    labels: Sequence,
    types: Sequence,
    views: Sequence,
    dataset: str,
    metric: str = "euc",
    chunk: int = CHUNK,
) -> EvaluationResult:
    """Rank-1, Rank-5, mAP and mINP per condition, averaged over different views as for CASIA-B and OUMVLP.

    Each cell of a condition's table is the share of the probes of one view that find their identity among the first k
    gallery sequences of another view (Yu et al., "A Framework for Evaluating the Effect of View Angle, Clothing and
    Carrying Condition on Gait Recognition", 2006). The figure of the condition leaves the diagonal out, averages over
    gallery views, then over probe views. A probe whose identity is absent from a gallery view is a miss there, as in
    OpenGait; pairs of views without probes or without gallery are left out, and so are conditions without any pair.

    The average precision of a probe is taken over the gallery sequences of all other views together, so that it also
    tells whether the person ranks high in views where recognition is hard. It is 0 where the identity is absent. The
    mAP is its mean over the probes of each view, then over these; the mINP is that of the inverse negative penalties
    (:class:`~opengait_meshgait.evaluation.retrieval.Retrieval`). OpenGait has no such figures for these data sets.

    Args:
        labels, types, views, dataset: as for :func:`split_indoor_dataset`, which says when nothing can be evaluated.
        embeddings, metric, chunk: as for :func:`~opengait_meshgait.evaluation.gait3d.evaluate_Gait3D`.

    Returns:
        Metrics and tables ``<condition>@R1`` and ``<condition>@R5``; metrics ``<condition>@mAP`` and
        ``<condition>@mINP``.

    Raises:
        UserError: nothing can be evaluated; an embedding is not finite; the metric is unknown.
    """
    check_embeddings(embeddings, labels, types, views)
    gallery, probes, notes = split_indoor_dataset(labels, types, views, dataset)
    used = np.concatenate([gallery, *probes.values()])
    view_names, inverse = np.unique(as_strings(views)[used], return_inverse=True)
    view = np.zeros(len(embeddings), dtype=np.int64)
    view[used] = inverse
    gallery = gallery[np.argsort(view[gallery], kind="stable")]
    bounds = np.searchsorted(view[gallery], np.arange(len(view_names) + 1))
    label = as_numbers(labels).to(embeddings.device)

    compared = ~np.eye(len(view_names), dtype=bool) & (np.diff(bounds) > 0)
    gallery_view = torch.from_numpy(view[gallery]).to(embeddings.device)
    tables, hits, over_views = {}, {}, {}
    for condition, probe in probes.items():
        ranks = torch.full((len(probe), len(view_names)), NEVER)
        ap, inp = (torch.zeros(len(probe), dtype=torch.float64) for _ in range(2))
        for rows, block in distance_blocks(embeddings[probe], embeddings[gallery], metric, chunk):
            match = label[probe[rows], None] == label[gallery]
            for column, (start, end) in enumerate(zip(bounds, bounds[1:])):
                if start < end:
                    ranks[rows, column] = first_match(block[:, start:end], match[:, start:end]).cpu()
            probe_view = torch.from_numpy(view[probe[rows]]).to(block.device)
            ap[rows], inp[rows] = _precisions(block, match, probe_view[:, None] == gallery_view)
        for k in _RANKS:
            table = np.full((len(view_names), len(view_names)), np.nan)
            for row in np.unique(view[probe]):
                for column in np.flatnonzero(np.diff(bounds)):
                    table[row, column] = rank_k(ranks[view[probe] == row, column], k)
            tables[f"{condition}@R{k}"] = table
        has_others = compared[view[probe]].any(1)
        for name, each in (("mAP", ap), ("mINP", inp)):
            each[torch.from_numpy(~has_others)] = torch.nan
            by_view = [
                float(each[(view[probe] == row) & has_others].mean()) for row in np.unique(view[probe][has_others])
            ]
            over_views[f"{condition}@{name}"] = 100 * float(np.mean(by_view))
        found = np.where(compared[view[probe]], ranks.numpy() < 1, np.float32("nan"))
        hits[condition] = ProbeHits(probe, found.astype(np.float32), ap.numpy(), inp.numpy())
    metrics = {name: _mean_without_diagonal(table) for name, table in tables.items()}
    rank1 = float(np.mean([value for name, value in metrics.items() if name.endswith("@R1")]))
    return EvaluationResult(metrics | over_views, rank1, view_names.tolist(), tables, notes, hits)


def _precisions(
    distance: torch.Tensor, match: torch.Tensor, same_view: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """``[b]`` float64 on the CPU: average precision and inverse negative penalty of each probe, over the gallery of
    other views; 0 where it has no match there."""
    match = match & ~same_view
    known = match.any(1)
    ap, inp = (torch.zeros(len(distance), dtype=torch.float64) for _ in range(2))
    if known.any():
        # The farthest of all cost no precision: what is not compared goes there.
        distance = distance[known].masked_fill(same_view[known], torch.inf)
        found = retrieve(distance, match[known])
        ap[known.cpu()], inp[known.cpu()] = found.ap, found.inp
    return ap, inp


def _matches(types: np.ndarray, patterns: Sequence[str]) -> np.ndarray:
    return np.asarray([any(fnmatchcase(name, pattern) for pattern in patterns) for name in types], dtype=bool)


def _nothing(dataset: str, role: str, patterns: Sequence[str], types: np.ndarray) -> str:
    found = ", ".join(np.unique(types)) or "no sequence at all"
    return (
        f"The protocol of {dataset} takes sequences of type {', '.join(patterns)} as {role}, and the test set has "
        f"{found}. Set test_dataset_name to the protocol these types belong to. Known: {', '.join(sorted(PROTOCOLS))}."
    )


def _mean_without_diagonal(table: np.ndarray) -> float:
    others = np.where(np.eye(len(table), dtype=bool), np.nan, table)
    rows = others[~np.isnan(others).all(1)]
    return float(np.nanmean(rows, axis=1).mean())
