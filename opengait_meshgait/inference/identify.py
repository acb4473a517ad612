"""Open-set identification: for each probe the nearest people of a gallery, or "unknown"."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.inference.embeddings import Embeddings, check_comparable
from opengait_meshgait.inference.search import nearest
from opengait_meshgait.inference.threshold import Threshold


@dataclass(frozen=True)
class Identification:
    """The nearest people of n probes.

    Attributes:
        probes: names of the probes, str [n].
        people: labels of the gallery, nearest first, str [n, k].
        distances: of the nearest sequence of each of them, float32 [n, k].
        sequences: the names of these sequences, str [n, k].
        known: whether the nearest person is near enough, bool [n], or None without a threshold.
        metric: ``euc`` or ``cos``.
        threshold: the one that was used, or a bare distance, or None.
    """

    probes: np.ndarray
    people: np.ndarray
    distances: np.ndarray
    sequences: np.ndarray
    known: np.ndarray | None
    metric: str
    threshold: Threshold | float | None

    def to_json(self) -> dict[str, Any]:
        """All of it, as plain values."""
        threshold = asdict(self.threshold) if isinstance(self.threshold, Threshold) else self.threshold
        probes = []
        for row, name in enumerate(self.probes):
            found = zip(self.people[row].tolist(), self.distances[row].tolist(), self.sequences[row].tolist())
            candidates = [{"label": label, "distance": far, "sequence": sequence} for label, far, sequence in found]
            known = None if self.known is None else bool(self.known[row])
            probes.append({"name": str(name), "known": known, "candidates": candidates})
        return {"metric": self.metric, "threshold": threshold, "probes": probes}

    def lines(self) -> list[str]:
        """One line a probe: the nearest people and their distances."""
        lines = []
        for row, name in enumerate(self.probes):
            ranked = ", ".join(f"{who} {far:.4g}" for who, far in zip(self.people[row], self.distances[row]))
            stranger = self.known is not None and not self.known[row]
            lines.append(f"{name}: {f'unknown (nearest: {ranked})' if stranger else ranked}")
        return lines

    def summary(self, gallery: Embeddings) -> str:
        """How many probes were identified in which gallery."""
        unknown = "" if self.known is None else f", {int((~self.known).sum())} of them unknown"
        people = len(set(gallery.labels.tolist()))
        line = f"{len(self.probes)} probes{unknown}; the gallery has {len(gallery)} sequences of {people} people"
        learnt_from = getattr(self.threshold, "sequences", len(gallery))
        if learnt_from < len(gallery):
            line += f": more than the {learnt_from} that the threshold was learnt from, so expect more false accepts"
        return line


def identify(
    gallery: Embeddings,
    probes: Embeddings,
    top: int = 5,
    metric: str | None = None,
    threshold: Threshold | float | None = None,
    device: str | torch.device = "cpu",
) -> Identification:
    """Rank the people of the gallery for each probe, by the nearest of their sequences.

    Args:
        gallery: the people who can be recognised.
        probes: who is to be recognised.
        top: how many people to name for a probe.
        metric: ``euc``, Euclidean distance averaged over parts, or ``cos``; None: as the model's config says.
        threshold: the distance from which on a probe is unknown; None: the nearest person is always taken.
        device: where to compute.

    Raises:
        UserError: the two are of different models, or the threshold is of another model or metric; an embedding is not
            finite.
    """
    if top < 1:
        raise UserError(f"--top is {top}: give 1 or more.")
    check_comparable(gallery, probes)
    metric = metric or gallery.metric
    limit = threshold
    if isinstance(threshold, Threshold):
        limit = threshold.value
        if (threshold.model, threshold.metric) != (gallery.model, metric):
            raise UserError(
                f"The threshold was learnt for model {threshold.model} and metric {threshold.metric}, and the "
                f"embeddings are of model {gallery.model}, compared by {metric}. Learn it again: --validation V.npz."
            )
    distances, places = nearest(probes, gallery, top, metric, torch.device(device))
    known = None if limit is None else distances[:, 0] < limit
    people, sequences = gallery.labels[places], gallery.names[places]
    return Identification(probes.names, people, distances, sequences, known, metric, threshold)
