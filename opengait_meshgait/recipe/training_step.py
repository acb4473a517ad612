"""One training step up to its loss: what every trainer of Mesh-Gait does with a batch."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import nn

from opengait_meshgait.body.supervision import BodySupervision, BodyTargets
from opengait_meshgait.data import Batch
from opengait_meshgait.data.augmentation import PairedAugmentation
from opengait_meshgait.data.transforms import Transform
from opengait_meshgait.losses import LossSum, loss_inputs
from opengait_meshgait.networks import MeshGaitOutput


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
        transforms: of silhouettes and of bodies.
        augmentation: moves silhouettes and targets together, or None.
        supervision: turns bodies into targets, or None.
        half: the 16-bit type that the network computes in, or None for float32; targets and losses never do.
    """

    def __init__(
        self,
        net: nn.Module,
        losses: LossSum,
        transforms: tuple[Transform, Transform | None],
        augmentation: PairedAugmentation | None,
        supervision: BodySupervision | None,
        half: torch.dtype | None = None,
    ):
        self.net, self.losses = net, losses
        self.transform_sils, self.transform_bodies = transforms
        self.augmentation, self.supervision, self.half = augmentation, supervision, half

    def __call__(self, batch: Batch, iteration: int) -> StepResult:
        """The loss of a batch that is on the device already.

        Raises:
            NonFiniteLossError: a term of the loss is NaN or infinite.
        """
        sils = self.transform_sils(batch.sils)
        targets = None
        if self.supervision is not None:
            targets = self.supervision(self.transform_bodies(batch.bodies), batch.weights)
        if self.augmentation is not None:
            sils, targets = self._augment(sils, targets, batch)
        arguments: dict[str, Any] = {} if batch.seqL is None else {"seqL": batch.seqL}
        with torch.autocast(sils.device.type, dtype=self.half, enabled=self.half is not None):
            output = self.net(sils, **arguments)
        loss, scalars = self.losses(loss_inputs(output, batch.labels, targets, iteration))
        return StepResult(loss, scalars, sils, targets, output)

    def _augment(
        self, sils: torch.Tensor, targets: BodyTargets | None, batch: Batch
    ) -> tuple[torch.Tensor, BodyTargets | None]:
        if batch.seqL is None:
            return self.augmentation(sils, targets, batch.seeds)
        # Packed sequences are changed one by one: they differ in length.
        lengths = batch.seqL[0].tolist()
        tensors = [sils] if targets is None else [sils, *(getattr(targets, field.name) for field in fields(targets))]
        parts = []
        for seed, part in zip(batch.seeds, zip(*(tensor.split(lengths, dim=1) for tensor in tensors))):
            moved, bodies = self.augmentation(part[0], None if targets is None else BodyTargets(*part[1:]), [seed])
            parts.append([moved] if bodies is None else [moved, *(getattr(bodies, f.name) for f in fields(bodies))])
        sils, *bodies = (torch.cat(tensors, dim=1) for tensors in zip(*parts))
        return sils, BodyTargets(*bodies) if bodies else None
