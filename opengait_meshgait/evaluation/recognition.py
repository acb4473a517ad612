"""From embeddings to the recognition figures of a protocol."""

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
import torch

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.evaluation.cross_view import cross_view_figures
from opengait_meshgait.evaluation.protocols import ACROSS_VIEWS, ONE_GROUP, RETRIEVAL, Protocol
from opengait_meshgait.evaluation.results import EvaluationResult, Figures, ProbeHits
from opengait_meshgait.evaluation.retrieval import CHUNK
from opengait_meshgait.evaluation.split import Compared, as_strings, has_match, of_types, split_gallery
from opengait_meshgait.evaluation.whole_gallery import nearest_sequences, retrieval_figures

_BOTH = (
    "R1 and R5 are means over pairs of views, OpenGait's Gait figures; Rank-1 and the like are of the whole gallery, "
    "as in its ReID figures."
)
_SUBMITTED = 20  # identities a probe that GREW's server asks for


def evaluate_recognition(
    embeddings: torch.Tensor,
    labels: Sequence,
    types: Sequence,
    views: Sequence,
    protocol: Protocol,
    named: Collection[str] = (),
    metric: str = "euc",
    chunk: int = CHUNK,
) -> EvaluationResult:
    """The figures of a protocol.

    Args:
        embeddings: ``[n, c, p]`` on any device.
        labels, types, views, protocol, named: as for :func:`~opengait_meshgait.evaluation.split.split_gallery`, which
            says when nothing can be evaluated.
        metric: ``euc`` or ``cos``.
        chunk: probes compared at a time.

    Returns:
        Across views, metrics and tables ``<group>@R<k>`` as
        :func:`~opengait_meshgait.evaluation.cross_view.cross_view_figures`; in retrieval, metrics ``<group>@Rank-<k>``
        as :func:`~opengait_meshgait.evaluation.whole_gallery.retrieval_figures`, where there is one group without its
        name. Of both, ``mAP`` and ``mINP``.

    Raises:
        UserError: nothing can be evaluated; an embedding is not finite; the metric is unknown.
        ValueError: shapes that do not belong together.
    """
    check_embeddings(embeddings, labels, types, views)
    groups, notes = split_gallery(labels, types, views, protocol, named)
    across, names = ACROSS_VIEWS in protocol.figures, protocol.views_of(as_strings(views))
    used = np.unique(np.concatenate([np.concatenate(compared) for compared in groups.values()]))
    view_names, inverse = np.unique(names[used], return_inverse=True)
    view = np.zeros(len(embeddings), dtype=np.int64)
    view[used] = inverse
    label = torch.from_numpy(np.unique(as_strings(labels), return_inverse=True)[1]).to(embeddings.device)

    metrics: dict[str, float] = {}
    tables: dict[str, np.ndarray] = {}
    hits: dict[str, ProbeHits] = {}
    cmc: dict[str, np.ndarray] = {}
    for group, compared in groups.items():
        found = _figures(embeddings, label, view, len(view_names), compared, protocol, metric, chunk)
        # One gallery and one group, as in the wild: names without it.
        prefix = "" if group == ONE_GROUP and not across else f"{group}@"
        metrics |= {f"{prefix}{name}": value for name, value in found.metrics.items()}
        tables |= {f"{prefix}{name}": table for name, table in found.tables.items()}
        hits[group], cmc[group] = found.hits, found.cmc
    rank1 = float(np.mean([value for name, value in metrics.items() if name.endswith("@R1" if across else "Rank-1")]))
    submission, more = _submission(embeddings, labels, types, views, protocol, metric, chunk)
    if across and RETRIEVAL in protocol.figures:
        more = [*more, _BOTH]
    seen = view_names.tolist() if across else ()
    return EvaluationResult(metrics, rank1, seen, tables, [*notes, *more], hits, cmc, submission)


def _figures(
    embeddings: torch.Tensor,
    labels: torch.Tensor,
    views: np.ndarray,
    number: int,
    compared: Compared,
    protocol: Protocol,
    metric: str,
    chunk: int,
) -> Figures:
    """Of one group; arguments as of :func:`~opengait_meshgait.evaluation.cross_view.cross_view_figures`."""
    ranks, further = protocol.ranks_of(ACROSS_VIEWS), protocol.ranks_of(RETRIEVAL)
    if RETRIEVAL not in protocol.figures:
        return cross_view_figures(embeddings, labels, views, number, compared, ranks, metric, chunk)
    known = has_match(labels.cpu().numpy(), views, compared, protocol.other_views)
    findable = compared._replace(probes=compared.probes[known])
    ranked = retrieval_figures(embeddings, labels, views, findable, further, protocol.other_views, metric, chunk)
    if ACROSS_VIEWS not in protocol.figures:
        return ranked
    across = cross_view_figures(embeddings, labels, views, number, compared, ranks, metric, chunk)
    # Probes that there is nobody to find for are misses across views, and left out in retrieval.
    precisions = {name: np.full(len(known), np.nan) for name in ("ap", "inp")}
    for name, values in precisions.items():
        values[known] = getattr(ranked.hits, name)
    metrics = {name: across.metrics[name] for name in across.tables} | {**ranked.metrics}
    return Figures(metrics, across.tables, replace(across.hits, **precisions), across.cmc)


def _submission(
    embeddings: torch.Tensor,
    labels: Sequence,
    types: Sequence,
    views: Sequence,
    protocol: Protocol,
    metric: str,
    chunk: int,
) -> tuple[list[list[str]] | None, list[str]]:
    """The rows for the benchmark's server, and why there are none: a probe's name (its view), then identities, the
    nearest first."""
    if protocol.submission is None:
        return None, []
    sides = (of_types(as_strings(types), each) for each in (protocol.submission.gallery, protocol.submission.probes))
    gallery, probes = map(np.flatnonzero, sides)
    if not len(probes) or len(gallery) < _SUBMITTED:
        return None, [
            f"No submission file: the test set has {len(probes)} sequences of type "
            f"{', '.join(protocol.submission.probes)} to be named, and {len(gallery)} of type "
            f"{', '.join(protocol.submission.gallery)}, of which each is told the nearest {_SUBMITTED}."
        ]
    nearest = nearest_sequences(embeddings, Compared(gallery, probes), _SUBMITTED, metric, chunk)
    rows = [["videoId", *(f"rank{k}" for k in range(1, _SUBMITTED + 1))]]
    # The server knows people by numbers.
    names = [str(int(label)) if label.isdigit() else label for label in as_strings(labels).tolist()]
    return rows + [[str(views[probe]), *(names[i] for i in own)] for probe, own in zip(probes.tolist(), nearest)], []


def check_embeddings(embeddings: torch.Tensor, labels: Sequence, types: Sequence, views: Sequence) -> None:
    """Refuse what cannot be compared.

    Raises:
        ValueError: the embeddings are not ``[n, c, p]``, or there are not as many labels, types and views.
        UserError: an embedding is NaN or infinite.
    """
    if embeddings.ndim != 3:
        raise ValueError(f"expected embeddings [n, c, p], got {[*embeddings.shape]}")
    counts = [len(labels), len(types), len(views)]
    if counts != [len(embeddings)] * 3:
        raise ValueError(f"expected {len(embeddings)} labels, types and views, got {counts}")
    # One number that is not finite makes the sum so. Looking at each takes as long as some products of matrices.
    if embeddings.sum().isfinite():
        return
    bad = (~embeddings.isfinite().all(2).all(1)).nonzero().flatten().tolist()
    if bad:
        first = "-".join(str(part[bad[0]]) for part in (labels, types, views))
        raise UserError(
            f"The embeddings of {len(bad)} of {len(embeddings)} sequences are NaN or infinite, first that of {first}. "
            "Test another checkpoint, or without enable_float16."
        )
