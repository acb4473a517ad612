"""The walkers' cross-view protocol, which OpenGait's evaluator does not know."""

from collections.abc import Mapping
from typing import Any

import torch
from utils import get_msg_mgr

from opengait_meshgait.evaluation import evaluate_indoor_dataset


def evaluate_walkers(data: Mapping[str, Any], dataset: str, metric: str = "euc") -> dict[str, float]:
    """Cross-view figures, in the form of OpenGait's evaluators.

    Args:
        data: ``embeddings [n, c, p]`` float32 with n ``labels``, ``types`` and ``views``.
        dataset: a protocol of :data:`opengait_meshgait.evaluation.PROTOCOLS`.
        metric: ``euc`` or ``cos``.

    Returns:
        ``scalar/test_accuracy/<name>``, percent.
    """
    features = torch.from_numpy(data["embeddings"])
    result = evaluate_indoor_dataset(features, data["labels"], data["types"], data["views"], dataset, metric=metric)
    figures = "\t".join(f"{name}: {value:.2f}%" for name, value in result.metrics.items())
    for line in (*result.notes, figures):
        get_msg_mgr().log_info(line)
    return {f"scalar/test_accuracy/{name}": value for name, value in result.metrics.items()}
