"""One training step up to its loss: what every trainer of Mesh-Gait does with a batch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from opengait_meshgait.body import BodySupervision, BodyTargets
from opengait_meshgait.data.augmentation import PairedAugmentation
from opengait_meshgait.data.collate import Batch
from opengait_meshgait.data.transforms import Transform
from opengait_meshgait.losses.aggregate import LossSum
from opengait_meshgait.losses.terms import loss_inputs
from opengait_meshgait.networks.meshgait import MeshGaitOutput


@dataclass
class StepResult:
    """What came of one batch.

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
    """Transforms, targets, augmentation, network, losses.

    Args:
        net: the network, wrapped or not.
        losses: the sum to be minimised.
        transforms: of silhouettes and of body parameters.
        augmentation: moves silhouettes and targets together, or None.
        supervision: turns body parameters into targets, or None.
        half: whether the network computes in float16; targets and losses never do.
    """

    def __init__(
        self,
        net: nn.Module,
        losses: LossSum,
        transforms: tuple[Transform, Transform | None],
        augmentation: PairedAugmentation | None,
        supervision: BodySupervision | None,
        half: bool = False,
    ):
        self.net, self.losses = net, losses
        self.transform_sils, self.transform_smpls = transforms
        self.augmentation, self.supervision, self.half = augmentation, supervision, half

    def __call__(self, batch: Batch, iteration: int) -> StepResult:
        """The loss of a batch that is on the device already.

        Raises:
            NonFiniteLossError: a term of the loss is NaN or infinite.
        """
        sils = self.transform_sils(batch.sils)
        targets = None
        if self.supervision is not None:
            targets = self.supervision(self.transform_smpls(batch.smpls))
        if self.augmentation is not None:
            sils, targets = self.augmentation(sils, targets, batch.seeds)
        arguments: dict[str, Any] = {} if batch.seqL is None else {"seqL": batch.seqL}
        with torch.autocast(sils.device.type, dtype=torch.float16, enabled=self.half):
            output = self.net(sils, **arguments)
        loss, scalars = self.losses(loss_inputs(output, batch.labels, targets, iteration))
        return StepResult(loss, scalars, sils, targets, output)
