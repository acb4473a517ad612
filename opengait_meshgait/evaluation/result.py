"""What an evaluation hands over, and which evaluations a config may name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from opengait_meshgait.common.registry import Registry
from opengait_meshgait.evaluation.hits import ProbeHits

EVALUATORS = Registry("evaluator")


@dataclass(frozen=True)
class EvaluationResult:
    """The figures of one evaluation.

    Attributes:
        metrics: percent by name, such as ``NM@R1`` or ``mAP``.
        rank1: Rank-1 in percent, over all conditions alike: the figure that tells better from worse checkpoints.
        views: names of the rows and columns of the tables.
        tables: percent by name, ``[probe view, gallery view]``, NaN where nothing was there to compare.
        notes: what was left out, one sentence each.
        hits: Rank-1 of single probes, by condition.
    """

    metrics: Mapping[str, float]
    rank1: float
    views: Sequence[str] = ()
    tables: Mapping[str, np.ndarray] = field(default_factory=dict)
    notes: Sequence[str] = ()
    hits: Mapping[str, ProbeHits] = field(default_factory=dict)
