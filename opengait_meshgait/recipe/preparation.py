"""From a batch of files to what the network sees and what its output is compared with."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import torch

from opengait_meshgait.body.supervision import BodyTargets, load_supervision
from opengait_meshgait.common.distributed import rank, world_size
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.data import Batch, GaitDataset, TripletSampler, build_transforms, check_sequences
from opengait_meshgait.data.augment_cfg import AugmentCfg
from opengait_meshgait.data.augmentation import PairedAugmentation
from opengait_meshgait.data.transforms import Transform

# So many sequences, evenly spread, are read before the first iteration: a damaged file is reported early.
_READ_FIRST = 1000


class BatchPreparation:
    """Transforms, and in training targets and augmentation, on the device of the batch and in float32.

    Not a module: DistributedDataParallel would send its arrays to all processes, and a body's would be saved.

    Args:
        test_transforms: ``evaluator_cfg.transform``.
        transforms: ``trainer_cfg.transform``; None where nothing is trained.
        body_cfg: names the body and the markers that supervise; None for none.
        augment_cfg: ``model_cfg.augment_cfg``, or None.
        with_bodies: whether batches hold bodies; None: if there is a ``body_cfg``.

    Attributes:
        supervision: the body and its markers, or None.
        with_bodies: whether batches hold bodies.

    Raises:
        UserError: a transform, the body or the augmentation cannot be used.
    """

    def __init__(
        self,
        test_transforms: Sequence[Mapping[str, Any]],
        transforms: Sequence[Mapping[str, Any]] | None = None,
        body_cfg: Mapping[str, Any] | None = None,
        augment_cfg: AugmentCfg | Mapping[str, Any] | None = None,
        with_bodies: bool | None = None,
    ):
        self.with_bodies = with_bodies = body_cfg is not None if with_bodies is None else with_bodies
        self.supervision = None if body_cfg is None else load_supervision(**body_cfg)
        self.test_transform, self.transform_test_bodies = build_transforms(test_transforms, with_bodies)
        self.augmentation: PairedAugmentation | None = None
        if transforms is not None:
            self.transform, self.transform_bodies = build_transforms(transforms, with_bodies)
            if augment_cfg is not None:
                flips = None if self.supervision is None else self.supervision.flips
                self.augmentation = PairedAugmentation(augment_cfg, flips)

    def for_training(self, batch: Batch) -> tuple[torch.Tensor, BodyTargets | None]:
        """Silhouettes float32 ``[n, s, h, w]`` or packed ``[1, sum of seqL, h, w]``, 0…1, and their bodies' targets."""
        sils, targets = self.transform(batch.sils), self._targets(self.transform_bodies, batch)
        return (sils, targets) if self.augmentation is None else self._augment(self.augmentation, sils, targets, batch)

    def for_test(self, batch: Batch) -> torch.Tensor:
        """Silhouettes float32 ``[n, s, h, w]`` or packed ``[1, sum of seqL, h, w]``, 0…1."""
        return self.test_transform(batch.sils)

    def test_targets(self, batch: Batch) -> BodyTargets | None:
        """What the bodies of a test batch are compared with; None where it holds none."""
        return self._targets(self.transform_test_bodies, batch)

    def _targets(self, transform: Transform | None, batch: Batch) -> BodyTargets | None:
        if self.supervision is None or transform is None or batch.bodies is None:
            return None
        return self.supervision.to(batch.bodies.device)(transform(batch.bodies), batch.weights)

    @staticmethod
    def _augment(
        augmentation: PairedAugmentation, sils: torch.Tensor, targets: BodyTargets | None, batch: Batch
    ) -> tuple[torch.Tensor, BodyTargets | None]:
        if batch.seqL is None:
            return augmentation(sils, targets, batch.seeds)
        # Packed sequences are changed one by one: they differ in length.
        lengths = batch.seqL[0].tolist()
        tensors = [sils] if targets is None else [sils, *(getattr(targets, field.name) for field in fields(targets))]
        parts = []
        for seed, part in zip(batch.seeds, zip(*(tensor.split(lengths, dim=1) for tensor in tensors))):
            moved, bodies = augmentation(part[0], None if targets is None else BodyTargets(*part[1:]), [seed])
            parts.append([moved] if bodies is None else [moved, *(getattr(bodies, f.name) for f in fields(bodies))])
        sils, *bodies = (torch.cat(tensors, dim=1) for tensors in zip(*parts))
        return sils, BodyTargets(*bodies) if bodies else None


def check_training_data(
    dataset: GaitDataset, class_num: int, batch_size: Sequence[int], with_bodies: bool
) -> str | None:
    """Refuse training sequences that do not fit the network or the batches, or a sample of which cannot be read.

    Args:
        dataset: the training set.
        class_num: classes of the network.
        batch_size: [P, K], identities in a batch and sequences of each.
        with_bodies: whether their bodies are read.

    Returns:
        One line where sequences have no body; in other processes than the first None.

    Raises:
        UserError: what does not fit.
    """
    check_class_num(class_num, len(dataset.label_set))
    TripletSampler(dataset, batch_size, world_size=world_size())
    if rank() != 0:
        return None
    read, known = check_sequences(dataset, _READ_FIRST)
    some = "" if read == len(dataset) else " that were looked at"
    lacking = with_bodies and known < read
    return f"{known} of {read} training sequences{some} have bodies." if lacking else None


def check_class_num(class_num: int, people: int) -> None:
    """Refuse a network with fewer classes than there are people to train with.

    Raises:
        UserError: the right number.
    """
    if class_num < people:
        raise UserError(
            f"model_cfg.SeparateBNNecks.class_num is {class_num}, and there are {people} training identities. Set "
            f"class_num: {people}."
        )
