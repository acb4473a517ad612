"""From a batch of files to what the network sees and what it is compared with."""

from collections.abc import Mapping
from typing import Any

import torch

from opengait_meshgait.body.supervision import BodySupervision, BodyTargets, load_supervision
from opengait_meshgait.data import Batch, build_transforms
from opengait_meshgait.data.augmentation import PairedAugmentation, augmentation_from
from opengait_meshgait.opengait.checks import entries


class Preparation:
    """Transforms, and in training targets and augmentation, on the device and in float32.

    No module: its arrays would be sent to all processes with every batch, and a body's would be saved.

    Args:
        cfgs: the merged config.
        training: whether batches are for training too.
        bodies: whether those have bodies.
    """

    def __init__(self, cfgs: Mapping[str, Any], training: bool, bodies: bool):
        self.test_transform, _ = build_transforms(entries(cfgs["evaluator_cfg"]["transform"]), False)
        self.supervision: BodySupervision | None = None
        self.augmentation: PairedAugmentation | None = None
        if not training:
            return
        self.transform, self.transform_bodies = build_transforms(entries(cfgs["trainer_cfg"]["transform"]), bodies)
        model_cfg = cfgs["model_cfg"]
        if bodies:
            self.supervision = load_supervision(**model_cfg.get("body_cfg") or {})
        flips = None if self.supervision is None else self.supervision.flips
        self.augmentation = augmentation_from(model_cfg.get("augment_cfg"), flips)

    def for_training(self, batch: Batch) -> tuple[torch.Tensor, BodyTargets | None]:
        """Silhouettes float32 ``[n, s, h, w]``, 0…1, and the targets of their bodies."""
        sils, targets = self.transform(batch.sils), None
        if self.supervision is not None:
            targets = self.supervision.to(sils.device)(self.transform_bodies(batch.bodies), batch.weights)
        if self.augmentation is not None:
            sils, targets = self.augmentation(sils, targets, batch.seeds)
        return sils, targets

    def for_test(self, batch: Batch) -> torch.Tensor:
        """Silhouettes float32 ``[1, sum of seqL, h, w]`` or ``[n, s, h, w]``, 0…1."""
        return self.test_transform(batch.sils)
