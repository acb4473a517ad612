"""Recognition in the wild: one gallery, probes named by the partition, as for Gait3D."""

from collections.abc import Collection, Sequence

import numpy as np
import torch

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.evaluation.evaluators import (
    EVALUATORS,
    EvaluationResult,
    ProbeHits,
    Split,
    as_numbers,
    as_strings,
    check_embeddings,
)
from opengait_meshgait.evaluation.retrieval import CHUNK, Retrieval, distance_blocks, rank_k, retrieve

_RANKS = (1, 5, 10)


def split_Gait3D(labels: Sequence, types: Sequence, views: Sequence, probes: Collection[str]) -> Split:
    """Gallery and probes; needs no embeddings, so it can be asked before training.

    Args:
        labels: ``n`` identities, as the partition names them.
        types: ``n`` sequence types (Gait3D: cameras).
        views: ``n`` views (Gait3D: sequences).
        probes: names ``id-type-view`` of the probes, the partition's ``PROBE_SET``. All others are gallery.

    Raises:
        UserError: no sequence is a probe, none is gallery, or no probe's identity is in the gallery.
    """
    labels = as_strings(labels)
    sequences = [f"{label}-{kind}-{view}" for label, kind, view in zip(labels, as_strings(types), as_strings(views))]
    wanted = {*probes}
    is_probe = np.asarray([name in wanted for name in sequences], dtype=bool)
    if not is_probe.any():
        raise UserError(
            f"None of the {len(wanted)} probes of PROBE_SET{_example(wanted)} is among the {len(sequences)} test "
            f"sequences{_example(sequences)}. PROBE_SET holds names id-type-view: take the partition of this data set."
        )
    if is_probe.all():
        raise UserError(f"All {len(sequences)} test sequences are in PROBE_SET: leave some out, they are the gallery.")
    known = np.isin(labels, labels[~is_probe])
    if not (is_probe & known).any():
        raise UserError(
            f"None of the {is_probe.sum()} probes has an identity that is in the gallery: PROBE_SET must leave out at "
            "least one sequence of an identity."
        )
    notes = []
    absent = wanted.difference(sequences)
    if absent:
        notes.append(f"{len(absent)} of {len(wanted)} probes of PROBE_SET{_example(absent)} are not in the test set.")
    skipped = (is_probe & ~known).sum()
    if skipped:
        notes.append(f"{skipped} of {is_probe.sum()} probes left out: their identity is not in the gallery.")
    return Split(np.flatnonzero(~is_probe), {"all": np.flatnonzero(is_probe & known)}, notes)


@EVALUATORS.register
def evaluate_Gait3D(
    embeddings: torch.Tensor,
    labels: Sequence,
    types: Sequence,
    views: Sequence,
    probes: Collection[str],
    metric: str = "euc",
    chunk: int = CHUNK,
) -> EvaluationResult:
    """Rank-1/5/10, mean average precision and mean inverse negative penalty, as for Gait3D.

    Probes whose identity is not in the gallery are left out, as in OpenGait; a gallery of any size will do.

    Args:
        embeddings: ``[n, c, p]`` on any device.
        labels, types, views, probes: see :func:`split_Gait3D`.
        metric: ``euc`` or ``cos``.
        chunk: probes compared at a time.

    Returns:
        Metrics ``Rank-1``, ``Rank-5``, ``Rank-10``, ``mAP`` and ``mINP``.

    Raises:
        UserError: nothing can be evaluated, see :func:`split_Gait3D`; an embedding is not finite; the metric is
            unknown.
    """
    check_embeddings(embeddings, labels, types, views)
    gallery, by_condition, notes = split_Gait3D(labels, types, views, probes)
    probe = by_condition["all"]
    label = as_numbers(labels).to(embeddings.device)
    blocks = []
    for rows, block in distance_blocks(embeddings[probe], embeddings[gallery], metric, chunk):
        blocks.append(retrieve(block, label[probe[rows], None] == label[gallery]))
    found = Retrieval(*(torch.cat(column) for column in zip(*blocks)))
    metrics = {f"Rank-{k}": rank_k(found.rank, k) for k in _RANKS}
    metrics |= {"mAP": found.ap.mean().item() * 100, "mINP": found.inp.mean().item() * 100}
    hits = ProbeHits(probe, (found.rank < 1).float()[:, None].numpy(), found.ap.numpy(), found.inp.numpy())
    return EvaluationResult(metrics, metrics["Rank-1"], notes=notes, hits={"all": hits})


def _example(sequences: Collection[str]) -> str:
    return f" (such as {min(sequences)})" if sequences else ""
