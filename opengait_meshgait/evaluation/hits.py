"""Rank-1 of every single probe, so that two networks can be compared probe by probe."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

_MARKS = {0.0: "0", 1.0: "1"}
_NOT_COMPARED = "-"


@dataclass(frozen=True)
class ProbeHits:
    """What Rank-1 is made of, for the probes of one condition.

    Attributes:
        indices: ``[q]`` int64, places of the probes among the sequences that were evaluated.
        hits: ``[q, g]`` float32 by probe and gallery view: 1 where the probe finds its identity first, 0 where not, NaN
            where nothing is compared (identical views, or no gallery). ``g`` is 1 where views do not count. Averaged
            over gallery views, then over the probes of each view, then over these, they are the condition's Rank-1.
    """

    indices: np.ndarray
    hits: np.ndarray

    def texts(self) -> list[str]:
        """One line a probe and one character a gallery view: ``1``, ``0``, or ``-`` where nothing is compared."""
        return ["".join(_MARKS.get(hit, _NOT_COMPARED) for hit in row) for row in self.hits.tolist()]


def read_hits(texts: Iterable[str]) -> np.ndarray:
    """``[q, g]`` float32 from what :meth:`ProbeHits.texts` gave."""
    values = {mark: hit for hit, mark in _MARKS.items()} | {_NOT_COMPARED: np.nan}
    return np.array([[values[mark] for mark in text] for text in texts], dtype=np.float32)
