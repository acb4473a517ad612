"""One training step up to its loss, and the network that it trains."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from opengait_meshgait.body.supervision import BodySupervision, BodyTargets
from opengait_meshgait.data import Batch
from opengait_meshgait.losses import LossSum, loss_inputs
from opengait_meshgait.networks import MeshGaitNet, MeshGaitOutput, Reconstruction, make_network
from opengait_meshgait.recipe.preparation import BatchPreparation


def network_to_train(
    model_cfg: Mapping[str, Any], supervision: BodySupervision | None, terms: Collection[str]
) -> MeshGaitNet:
    """The network of ``model_cfg`` with fresh weights, ready for the losses ``terms`` (by ``log_prefix``).

    Raises:
        UserError: a key is missing, or parts of the config do not fit each other.
    """
    net = make_network(model_cfg, reconstruction(supervision))
    if "softmax" not in terms:
        # DistributedDataParallel waits for every gradient, and no loss reaches the classifier.
        net.BNNecks.requires_grad_(False)
    return net


def reconstruction(supervision: BodySupervision | None) -> Reconstruction | None:
    """Markers to joints and mesh, for the body that supervises; None without one."""
    return None if supervision is None else Reconstruction(**supervision.of_markers())


@dataclass
class StepResult:
    """What one batch gave.

    Attributes:
        loss: to be minimised, a scalar.
        scalars: ``scalar/<log_prefix>/<name>``, detached.
        sils: what the network saw, [n, s, h, w], 0…1.
        targets: what the bodies were compared with, or None.
        output: of the network.
    """

    loss: torch.Tensor
    scalars: Mapping[str, torch.Tensor]
    sils: torch.Tensor
    targets: BodyTargets | None
    output: MeshGaitOutput


class TrainingStep:
    """Preparation, network, losses.

    Args:
        net: the network, wrapped or not.
        losses: the sum to be minimised.
        preparation: of batches.
        half: the 16-bit type that the network computes in, or None for float32; targets and losses never do.
    """

    def __init__(self, net: nn.Module, losses: LossSum, preparation: BatchPreparation, half: torch.dtype | None = None):
        self.net, self.losses, self.preparation, self.half = net, losses, preparation, half

    def __call__(self, batch: Batch, iteration: int) -> StepResult:
        """The loss of a batch that is on the device already.

        Raises:
            NonFiniteLossError: a term of the loss is NaN or infinite.
        """
        sils, targets = self.preparation.for_training(batch)
        arguments: dict[str, Any] = {} if batch.seqL is None else {"seqL": batch.seqL}
        with torch.autocast(sils.device.type, dtype=self.half, enabled=self.half is not None):
            output = self.net(sils, **arguments)
        loss, scalars = self.losses(loss_inputs(output, batch.labels, targets, iteration))
        return StepResult(loss, scalars, sils, targets, output)
