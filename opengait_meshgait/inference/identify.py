"""Open-set identification: for each probe the nearest people of a gallery, or "unknown", by a threshold that is
learnt for a false-accept rate (FAR).
"""

from dataclasses import asdict, dataclass, fields
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import torch

from opengait_meshgait.common.errors import UserError, did_you_mean, list_names
from opengait_meshgait.common.files import read_json, write_json
from opengait_meshgait.inference.embeddings import Embeddings, shared_sequences
from opengait_meshgait.inference.faiss_index import FaissIndex
from opengait_meshgait.inference.search import INDEXES, Recall, SearchIndex, check_request, distance_pieces


@dataclass(frozen=True)
class Threshold:
    """A rejection threshold: a probe is unknown if nobody in the gallery is nearer than ``value``.

    Attributes:
        value: the distance.
        metric: ``euc`` or ``cos``.
        model: the fingerprint of the model whose embeddings are compared.
        far: the largest false-accept rate that was asked for, 0…1.
        accepted: the false-accept rate on the validation set, each person out of the gallery in turn, 0…1.
        missed: the miss rate on it: share of sequences rejected although their person is in the gallery, 0…1.
        sequences: of the validation set.
        people: of the validation set.
    """

    value: float
    metric: str
    model: str
    far: float
    accepted: float
    missed: float
    sequences: int
    people: int

    def in_words(self) -> str:
        """One sentence."""
        return (
            f"Rejection threshold {self.value:.4g} ({self.metric}) for FAR ≤ {self.far:.2%}, learnt from "
            f"{self.sequences} sequences of {self.people} people: with a gallery of that size the false-accept rate is "
            f"{self.accepted:.2%} and the miss rate {self.missed:.2%}."
        )


def learn_threshold(validation: Embeddings, far: float, metric: str, device: torch.device) -> Threshold:
    """The rejection threshold for FAR ≤ ``far``: the largest distance with so few false accepts.

    Each sequence is a probe once, and all others are the gallery. The distance to its nearest sequence of another
    person is that of a false accept if its own person is not enrolled: sorted, these give the threshold. The distance
    to the nearest of its own person is that of a miss if it lies beyond (open-set identification: Phillips, Grother,
    Micheals, "Evaluation Methods in Face Recognition", Handbook of Face Recognition, 2011). A larger gallery has more
    false accepts: the rates hold for a gallery as large as the validation set.

    Args:
        validation: people who were not trained on, two sequences or more of some of them.
        far: the false-accept rate, above 0 and below 1.
        metric: ``euc`` or ``cos``.
        device: where to compute.

    Raises:
        UserError: there are no labels, or too few sequences for ``far``.
    """
    if not 0 < far < 1:
        raise UserError(f"The false-accept rate is {far:g}: give a share between 0 and 1, such as 0.01.")
    people, codes, counts = np.unique(validation.labels, return_inverse=True, return_counts=True)
    if len(people) < 2 or counts.max() < 2:
        found = "one person" if len(people) < 2 else f"{len(people)} labels, no two of them alike"
        raise UserError(
            f"{validation.source} has {found}, and a threshold is learnt from sequences of the same person and of "
            "others. Embed a folder id/type/view of several people, each walking twice."
        )
    allowed = int(far * len(validation))
    if allowed < 1:
        raise UserError(
            f"{validation.source} has {len(validation)} sequences: they tell no false-accept rate below "
            f"{1 / len(validation):.2g}, and {far:g} is asked for. Take a larger validation set, or a larger rate."
        )
    own, other = _nearest_own_and_other(validation, torch.from_numpy(codes).to(device), metric, device)
    value = float(np.sort(other)[allowed])
    own = own[np.isfinite(own)]
    return Threshold(
        value=value,
        metric=metric,
        model=validation.model,
        far=far,
        accepted=float((other < value).mean()),
        missed=float((own >= value).mean()),
        sequences=len(validation),
        people=len(people),
    )


def check_validation(validation: Embeddings, gallery: Embeddings, probes: Embeddings) -> str | None:
    """Refuse validation people who are in the gallery or among the probes: their threshold would hold for nobody else.

    Returns:
        One line where people are called alike without a sequence in common; else None.

    Raises:
        UserError: sequences are in both files.
    """
    for other in (gallery, probes):
        if shared := shared_sequences(validation, other):
            raise UserError(
                f"{len(shared)} of the {len(validation)} sequences in {validation.source} are in {other.source} too "
                f"({list_names(shared, 3)}). A threshold is learnt from people who are in neither gallery nor probes."
            )
    alike = sorted(set(validation.labels.tolist()) & {*gallery.labels.tolist(), *probes.labels.tolist()})
    if not alike:
        return None
    return (
        f"{len(alike)} validation people are called like people of gallery or probes ({list_names(alike, 3)}): if they "
        "are the same, the threshold holds for nobody else."
    )


def write_threshold(path: str | Path, threshold: Threshold) -> None:
    """Write a threshold as JSON."""
    write_json(path, asdict(threshold))


def read_threshold(path: str | Path) -> Threshold:
    """Read what :func:`write_threshold` wrote.

    Raises:
        UserError: it is no such file.
    """
    content = read_json(path)
    names = {field.name for field in fields(Threshold)}
    if not isinstance(content, dict) or content.keys() != names or not isinstance(content["value"], float | int):
        raise UserError(f"{path} is no threshold. `meshgait identify --validation V.npz --save {path}` writes one.")
    return Threshold(**content)


def parse_threshold(text: str) -> Threshold | float:
    """A threshold as typed: a distance, or a file of :func:`write_threshold`.

    Raises:
        UserError: it is neither.
    """
    try:
        return float(text)
    except ValueError:
        return read_threshold(text)


def _nearest_own_and_other(
    validation: Embeddings, codes: torch.Tensor, metric: str, device: torch.device
) -> tuple[np.ndarray, np.ndarray]:
    """For each sequence the distance to the nearest other one of its person (infinite: there is none), and to the
    nearest of the others.
    """
    own = torch.full((len(validation),), torch.inf, device=device)
    other = own.clone()
    places = torch.arange(len(validation), device=device)
    for rows, columns, block in distance_pieces(validation, validation, metric, device):
        same = codes[rows, None] == codes[columns]
        oneself = places[rows, None] == places[columns]
        own[rows] = own[rows].minimum(block.masked_fill(~same | oneself, torch.inf).amin(1))
        other[rows] = other[rows].minimum(block.masked_fill(same, torch.inf).amin(1))
    return own.cpu().numpy(), other.cpu().numpy()


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
        recall: what was found of what exact search finds, on a sample of probes; None: the search was exact.
    """

    probes: np.ndarray
    people: np.ndarray
    distances: np.ndarray
    sequences: np.ndarray
    known: np.ndarray | None
    metric: str
    threshold: Threshold | float | None
    recall: Recall | None

    def to_json(self) -> dict[str, Any]:
        """All of it, as plain values."""
        threshold = asdict(self.threshold) if isinstance(self.threshold, Threshold) else self.threshold
        probes = []
        for row, name in enumerate(self.probes):
            found = zip(self.people[row].tolist(), self.distances[row].tolist(), self.sequences[row].tolist())
            candidates = [{"label": label, "distance": far, "sequence": sequence} for label, far, sequence in found]
            known = None if self.known is None else bool(self.known[row])
            probes.append({"name": str(name), "known": known, "candidates": candidates})
        recall = None if self.recall is None else asdict(self.recall)
        return {"metric": self.metric, "threshold": threshold, "recall": recall, "probes": probes}

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
    gallery: Embeddings | SearchIndex,
    probes: Embeddings,
    top: int = 5,
    metric: str | None = None,
    threshold: Threshold | float | None = None,
    device: str | torch.device = "cpu",
    index: str = "exact",
) -> Identification:
    """Rank the people of the gallery for each probe, by the nearest of their sequences.

    Args:
        gallery: the people who can be recognised; an index for many calls, which say nothing about metric, device and
            index then.
        probes: who is to be recognised.
        top: how many people to name for a probe.
        metric: ``euc``, Euclidean distance averaged over parts, or ``cos``; None: as the model's config says.
        threshold: the distance from which on a probe is unknown; None: the nearest person is always taken.
        device: where to compute.
        index: ``exact``, or ``faiss`` for approximate search, see :class:`FaissIndex`.

    Raises:
        UserError: the two are of different models, or the threshold is of another model or metric, or no distance above
            0; an embedding is not finite; faiss is not installed.
    """
    if index not in INDEXES:
        raise UserError(f"Unknown index '{index}'. {did_you_mean(index, INDEXES)}")
    if isinstance(gallery, SearchIndex):
        made, enrolled, metric = gallery, gallery.gallery, gallery.metric
    else:
        made, enrolled = None, gallery
    check_request(enrolled, probes, top)
    metric = metric or enrolled.metric
    limit = threshold.value if isinstance(threshold, Threshold) else threshold
    if isinstance(threshold, Threshold) and (threshold.model, threshold.metric) != (enrolled.model, metric):
        raise UserError(
            f"The threshold was learnt for model {threshold.model} and metric {threshold.metric}, and the "
            f"embeddings are of model {enrolled.model}, compared by {metric}. Learn it again: --validation V.npz."
        )
    if limit is not None and not (isinstance(limit, Real) and limit > 0):
        raise UserError(f"The rejection threshold is {limit}: give a distance above 0, or learn one (--validation).")
    if made is None and index == "faiss":
        made = FaissIndex(enrolled, probes, top, metric, device)
    elif made is None:
        made = SearchIndex(enrolled, metric, device, keep=False)
    distances, places = made.nearest(probes, top)
    known = None if limit is None else distances[:, 0] < limit
    people, sequences = enrolled.labels[places], enrolled.names[places]
    return Identification(probes.names, people, distances, sequences, known, metric, threshold, made.recall)
