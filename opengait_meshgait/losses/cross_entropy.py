"""Cross-entropy of identities, part by part."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from opengait_meshgait.losses.registry import LOSSES


@LOSSES.register
class CrossEntropyLoss(nn.Module):
    """Cross-entropy of scaled logits, averaged over sequences and parts; the numbers are OpenGait's.

    Args:
        scale: factor on the logits, which are cosines behind a BNNeck.
        label_smooth: smooth the labels.
        eps: the share that smoothing spreads over all classes.
        loss_term_weight: the weight of this term in the sum.
        log_accuracy: log the share of correctly classified parts too.
    """

    def __init__(
        self,
        scale: float = 16,
        label_smooth: bool = True,
        eps: float = 0.1,
        loss_term_weight: float = 1.0,
        log_accuracy: bool = False,
    ):
        super().__init__()
        self.scale = scale
        self.smoothing = eps if label_smooth else 0.0
        self.loss_term_weight = loss_term_weight
        self.log_accuracy = log_accuracy

    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, dict[str, Any]]:
        """Compare with the identities.

        Args:
            logits: ``[n, class, p]``.
            labels: ``[n]`` int, the classes.

        Returns:
            The loss (a scalar) and ``loss``, with ``log_accuracy`` also ``accuracy`` (0…1).
        """
        logits = logits.float()
        labels = labels[:, None].expand(-1, logits.shape[2])
        loss = F.cross_entropy(logits * self.scale, labels, label_smoothing=self.smoothing)
        info = {"loss": loss.detach()}
        if self.log_accuracy:
            info["accuracy"] = (logits.detach().argmax(1) == labels).float().mean()
        return loss, info
