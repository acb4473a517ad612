"""What every evaluator does first: tell probes from gallery, and refuse what would give meaningless figures."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch

from opengait_meshgait.common.errors import UserError


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


def names(values: Sequence) -> np.ndarray:
    """Labels, types or views as an array of strings ``[n]``."""
    return np.asarray([str(value) for value in values], dtype=np.str_)


def codes(values: Sequence) -> torch.Tensor:
    """Labels as numbers ``[n]`` int64: equal where the labels are equal."""
    return torch.from_numpy(np.unique(names(values), return_inverse=True)[1])


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
