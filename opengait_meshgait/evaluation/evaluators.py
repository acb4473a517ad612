"""What the evaluators share: the split into gallery and probes, their checks, and what an evaluation returns."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.registry import Registry

EVALUATORS = Registry("evaluator")

_MARKS = {0.0: "0", 1.0: "1"}
_NOT_COMPARED = "-"


class Split(NamedTuple):
    """Who is compared with whom.

    Attributes:
        gallery: indices of the gallery's sequences, in the order given.
        probes: indices of the probes, by condition.
        notes: what was left out, one sentence each.
    """

    gallery: np.ndarray
    probes: Mapping[str, np.ndarray]
    notes: Sequence[str]


@dataclass(frozen=True)
class ProbeHits:
    """What Rank-1, mAP and mINP are made of, for the probes of one condition.

    Attributes:
        indices: ``[q]`` int64, places of the probes among the sequences that were evaluated.
        hits: ``[q, g]`` float32 by probe and gallery view: 1 where the probe finds its identity first, 0 where not, NaN
            where nothing is compared (identical views, or no gallery). ``g`` is 1 where views do not count. Averaged
            over gallery views, then over the probes of each view, then over these, they are the condition's Rank-1.
        ap, inp: ``[q]`` float64, average precision and inverse negative penalty, 0…1; NaN where nothing is compared.
    """

    indices: np.ndarray
    hits: np.ndarray
    ap: np.ndarray
    inp: np.ndarray

    def texts(self) -> list[str]:
        """One line a probe and one character a gallery view: ``1``, ``0``, or ``-`` where nothing is compared."""
        return ["".join(_MARKS.get(hit, _NOT_COMPARED) for hit in row) for row in self.hits.tolist()]

    def precisions(self) -> dict[str, list[float | None]]:
        """``ap`` and ``inp`` for a JSON file: in the order of the probes, with four digits, None in place of NaN."""
        return {
            name: [None if np.isnan(value) else round(value, 4) for value in getattr(self, name).tolist()]
            for name in ("ap", "inp")
        }


@dataclass(frozen=True)
class EvaluationResult:
    """The figures of one evaluation.

    Attributes:
        metrics: percent by name, such as ``NM@R1`` or ``mAP``.
        rank1: Rank-1 in percent, over all conditions alike: the figure that tells better from worse checkpoints.
        views: names of the rows and columns of the tables.
        tables: percent by name, ``[probe view, gallery view]``, NaN where nothing was there to compare.
        notes: what was left out, one sentence each.
        hits: Rank-1, AP and INP of single probes, by condition.
    """

    metrics: Mapping[str, float]
    rank1: float
    views: Sequence[str] = ()
    tables: Mapping[str, np.ndarray] = field(default_factory=dict)
    notes: Sequence[str] = ()
    hits: Mapping[str, ProbeHits] = field(default_factory=dict)


def read_hits(texts: Iterable[str]) -> np.ndarray:
    """``[q, g]`` float32 from what :meth:`ProbeHits.texts` gave."""
    values = {mark: hit for hit, mark in _MARKS.items()} | {_NOT_COMPARED: np.nan}
    return np.array([[values[mark] for mark in text] for text in texts], dtype=np.float32)


def as_strings(values: Sequence) -> np.ndarray:
    """Labels, types or views as an array of strings ``[n]``."""
    return np.asarray([str(value) for value in values], dtype=np.str_)


def as_numbers(values: Sequence) -> torch.Tensor:
    """Labels as numbers ``[n]`` int64: equal where the labels are equal."""
    return torch.from_numpy(np.unique(as_strings(values), return_inverse=True)[1])


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
    bad = (~embeddings.isfinite().all(2).all(1)).nonzero().flatten().tolist()
    if bad:
        first = "-".join(str(part[bad[0]]) for part in (labels, types, views))
        raise UserError(
            f"The embeddings of {len(bad)} of {len(embeddings)} sequences are NaN or infinite, first that of {first}. "
            "Test another checkpoint, or without enable_float16."
        )
