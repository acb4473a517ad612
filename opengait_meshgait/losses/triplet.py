"""Batch-all triplet loss, part by part."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from opengait_meshgait.losses.gather import gather
from opengait_meshgait.losses.registry import LOSSES


@LOSSES.register
class TripletLoss(nn.Module):
    """Every anchor is to be nearer to each sequence of its identity than to each other one, by a margin.

    Hinge over all (anchor, positive, negative) of the batch, averaged over those that still hurt ("BA≠0" of Hermans et
    al., "In Defense of the Triplet Loss", 2017), on Euclidean distances, for every part by itself. An anchor is among
    its own positives, as in OpenGait, whose numbers these are. Identities may have different numbers of sequences.

    Args:
        margin: how much nearer, in units of the embedding.
        loss_term_weight: the weight of this term in the sum.
    """

    def __init__(self, margin: float, loss_term_weight: float = 1.0):
        super().__init__()
        self.margin = margin
        self.loss_term_weight = loss_term_weight

    def forward(self, embeddings: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, dict[str, Any]]:
        """Compare the batch with itself.

        Args:
            embeddings: ``[n, c, p]``.
            labels: ``[n]`` int, the identities.

        Returns:
            The loss ``[p]`` and, each ``[p]``: ``loss``, ``hard_loss`` (the worst triplet), ``loss_num`` (how many
            triplets hurt) and ``mean_dist``.
        """
        labels = gather(labels)
        same = labels[:, None] == labels[None, :]
        with torch.autocast(embeddings.device.type, enabled=False):
            # In float32 the distance of like sequences is off by up to 1e-3, otherwise for each order of the batch.
            distance = _pairwise(gather(embeddings.double()).permute(2, 0, 1)).float()

        # Every row lists its positives first; rows of rarer identities end in columns that `real` masks. No index
        # occurs twice in a row, so that the gradient does not depend on the order of additions.
        order = same.int().argsort(dim=1, descending=True, stable=True)[:, : int(same.sum(1).max())]
        real = same.gather(1, order)
        positive = distance.gather(2, order.expand(len(distance), -1, -1))
        hinge = F.relu(positive[..., None] - distance[:, :, None, :] + self.margin)
        hinge = hinge.masked_fill(~(real[..., None] & ~same[:, None, :]), 0.0).flatten(1)

        number = (hinge > 0).sum(1)
        loss = hinge.sum(1) / number.clamp(min=1)
        return loss, {
            "loss": loss.detach(),
            "hard_loss": hinge.detach().amax(1),
            "loss_num": number.float(),
            "mean_dist": distance.detach().mean((1, 2)),
        }


def _pairwise(points: torch.Tensor) -> torch.Tensor:
    """Euclidean distances ``[p, n, n]`` among ``[p, n, c]``."""
    norms = points.square().sum(-1)
    squared = norms[:, :, None] + norms[:, None, :] - 2 * points @ points.transpose(1, 2)
    # relu, not clamp: its gradient at 0 is 0, and so undoes the infinite slope of the root of coinciding points.
    return F.relu(squared).sqrt()
