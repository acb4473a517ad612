"""What an evaluation returns: figures, and what they are made of."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

_MARKS = {0.0: "0", 1.0: "1"}
_NOT_COMPARED = "-"


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


class Figures(NamedTuple):
    """What is found of one group of probes.

    Attributes:
        metrics: percent by name, such as ``R1``.
        tables: as those of :class:`EvaluationResult`.
        hits: of single probes.
        cmc: as one of :class:`EvaluationResult`.
    """

    metrics: Mapping[str, float]
    tables: Mapping[str, np.ndarray]
    hits: ProbeHits
    cmc: np.ndarray


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
        cmc: by condition, the cumulative match characteristic of the probes of each view, ``[v, k]``: Rank-1, Rank-2, …
            in percent, averaged over the other gallery views; NaN for a view without probes. One row where views do not
            count. The mean over rows is the condition's.
        submission: rows of the file that a benchmark's server scores, the first one the header; None without one.
    """

    metrics: Mapping[str, float]
    rank1: float
    views: Sequence[str] = ()
    tables: Mapping[str, np.ndarray] = field(default_factory=dict)
    notes: Sequence[str] = ()
    hits: Mapping[str, ProbeHits] = field(default_factory=dict)
    cmc: Mapping[str, np.ndarray] = field(default_factory=dict)
    submission: Sequence[Sequence[str]] | None = None


def read_hits(texts: Iterable[str]) -> np.ndarray:
    """``[q, g]`` float32 from what :meth:`ProbeHits.texts` gave."""
    values = {mark: hit for hit, mark in _MARKS.items()} | {_NOT_COMPARED: np.nan}
    return np.array([[values[mark] for mark in text] for text in texts], dtype=np.float32)
