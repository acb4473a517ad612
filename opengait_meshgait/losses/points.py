"""The joint, marker and mesh losses: points of a body against their ground truth."""

from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import nn

from opengait_meshgait.losses.gather import mean_over_processes
from opengait_meshgait.losses.registry import LOSSES

NORMS = {"l1": torch.abs, "l2": torch.square}


class PointLoss(nn.Module):
    """Weighted mean coordinate error of body points in crop space, over the frames.

    The norm is taken coordinate by coordinate: ``l1`` is the mean absolute difference (crop heights), ``l2`` the mean
    squared difference (crop heights²), as ``torch.nn.functional.l1_loss`` and ``mse_loss`` have it. Every frame counts
    by its weight. A batch without any weight has a loss of exactly 0 and a gradient of zeros.

    Args:
        norm: ``l1`` or ``l2``.
        loss_term_weight: the weight of this term in the sum.
        warmup: iterations over which the loss is faded in: its factor rises linearly from 0 at iteration 0 to 1.
    """

    error_name: str

    def __init__(
        self,
        norm: Literal["l1", "l2"] = "l1",
        loss_term_weight: float = 1.0,
        warmup: Annotated[int, Field(ge=0)] = 0,
    ):
        super().__init__()
        self.norm = norm
        self.loss_term_weight = loss_term_weight
        self.warmup = warmup

    def forward(
        self,
        predicted: torch.Tensor,
        target: torch.Tensor,
        weights: torch.Tensor,
        height: torch.Tensor,
        iteration: int,
    ) -> tuple[torch.Tensor, dict[str, Any]]:
        """Compare with the ground truth.

        Args:
            predicted: points ``[n, s, P, 3]`` in crop space.
            target: their ground truth, the same shape; never receives a gradient.
            weights: ``[n, s]``, 0…1, how much each frame counts. Those of weight 0 may hold anything, NaN included.
            height: ``[n, s]``, metres in one crop height.
            iteration: of the training, from 0.

        Returns:
            The loss (a scalar) and ``loss``, the mean Euclidean error in mm under the loss's own name (0 without any
            weight; weighted as the loss) and ``ramp``, the warm-up's factor.

        Raises:
            ValueError: the shapes do not belong together.
        """
        if predicted.shape != target.shape or predicted.ndim != 4 or predicted.shape[-1] != 3:
            raise ValueError(f"expected two of [n, s, P, 3], got {[*predicted.shape]} and {[*target.shape]}")
        if not weights.shape == height.shape == predicted.shape[:2]:
            shapes = f"{[*weights.shape]} and {[*height.shape]}"
            raise ValueError(f"expected [n, s] = {[*predicted.shape[:2]]}, got {shapes}")

        weights = weights.detach().float()
        counts = weights > 0
        difference = predicted.float() - target.detach()
        difference = torch.where(counts[..., None, None], difference, 0.0)
        total = mean_over_processes(weights.sum())
        total = torch.where(total > 0, total, 1.0)
        ramp = min(1.0, iteration / self.warmup) if self.warmup else 1.0
        loss = (NORMS[self.norm](difference).mean((2, 3)) * weights).sum() / total * ramp
        with torch.no_grad():
            # Not norm(dim=-1): over three strided numbers it is many times slower on a CPU.
            distance = difference.square().sum(-1).sqrt()
            metres = torch.where(counts, distance.mean(-1) * height.float(), 0.0)
            error = 1000 * (metres * weights).sum() / total
        return loss, {"loss": loss.detach(), self.error_name: error, "ramp": ramp}


@LOSSES.register
class JointLoss(PointLoss):
    """Predicted against true positions of the 24 SMPL joints; logs the MPJPE in mm."""

    error_name = "mpjpe_mm"


@LOSSES.register
class MarkerLoss(PointLoss):
    """Predicted against true positions of the virtual markers; logs the mean marker error in mm."""

    error_name = "marker_mm"


@LOSSES.register
class MeshLoss(PointLoss):
    """Predicted against true positions of the mesh's vertices; logs the MPVPE in mm."""

    error_name = "mpvpe_mm"
