"""From a config to the things it names. What a user can have mistyped is found here, before any data are read."""

import hashlib
from typing import Any

import torch
from torch import nn

from opengait_meshgait.body.supervision import BodySupervision, load_supervision
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.files import read_json
from opengait_meshgait.data import FrameSampling, GaitDataset, SequenceTable
from opengait_meshgait.data.augmentation import PairedAugmentation, augmentation_from
from opengait_meshgait.engine.checks import modalities
from opengait_meshgait.engine.schema import Config
from opengait_meshgait.evaluation import Split, split_Gait3D, split_indoor_dataset
from opengait_meshgait.losses import BODY_TERMS, RECOGNITION_TERMS, LossSum
from opengait_meshgait.networks import MeshGaitNet, Reconstruction, make_network


def build_supervision(config: Config, device: torch.device) -> BodySupervision | None:
    """What turns bodies into targets, on ``device``; None where the network or the data have no bodies."""
    if config.model_cfg.heatmap_cfg is None or modalities(config) < 2:
        return None
    return load_supervision(**config.model_cfg.body_cfg.model_dump()).to(device)


def build_network(config: Config, supervision: BodySupervision | None) -> MeshGaitNet:
    """The network of ``model_cfg``; with ``supervision``, it can reconstruct bodies."""
    reconstruction = None
    if supervision is not None:
        reconstruction = Reconstruction(**supervision.of_markers())
    return make_network(config.model_cfg.model_dump(exclude_none=True), reconstruction)


def build_losses(config: Config) -> LossSum:
    """The losses of ``loss_cfg``, each checked against what the network emits."""
    has_bodies = config.model_cfg.heatmap_cfg is not None and modalities(config) == 2
    return LossSum(config.loss_cfg, RECOGNITION_TERMS + (BODY_TERMS if has_bodies else ()))


def build_augmentation(config: Config, supervision: BodySupervision | None) -> PairedAugmentation | None:
    """The augmentation of ``augment_cfg``; None where there is none."""
    return augmentation_from(config.model_cfg.augment_cfg, None if supervision is None else supervision.flips)


def build_optimizer(config: Config, net: nn.Module) -> torch.optim.Optimizer:
    """The optimizer of ``optimizer_cfg``, for all parameters that learn."""
    class_ = getattr(torch.optim, config.optimizer_cfg.solver)
    try:
        return class_((p for p in net.parameters() if p.requires_grad), **config.optimizer_cfg.model_extra)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"optimizer_cfg: {class_.__name__} refuses {config.optimizer_cfg.model_extra}: {error}"
        ) from error


def build_scheduler(config: Config, optimizer: torch.optim.Optimizer) -> torch.optim.lr_scheduler.LRScheduler:
    """The schedule of ``scheduler_cfg``."""
    class_ = getattr(torch.optim.lr_scheduler, config.scheduler_cfg.scheduler)
    try:
        return class_(optimizer, **config.scheduler_cfg.model_extra)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"scheduler_cfg: {class_.__name__} refuses {config.scheduler_cfg.model_extra}: {error}"
        ) from error


def build_train_set(config: Config, with_bodies: bool) -> GaitDataset:
    """The training sequences, with or without bodies.

    Raises:
        UserError: files or ids are missing, or there are more identities than classes.
    """
    frames = FrameSampling.from_config(config.trainer_cfg.sampler.model_dump())
    dataset = GaitDataset(config.data_cfg.model_dump(), "train", with_bodies, frames)
    classes, people = config.model_cfg.SeparateBNNecks.class_num, len(dataset.label_set)
    if classes < people:
        raise UserError(
            f"model_cfg.SeparateBNNecks.class_num is {classes}, and {config.data_cfg.dataset_partition} has {people} "
            f"training identities. Set class_num: {people}."
        )
    return dataset


def build_test_set(config: Config, split: str, with_bodies: bool) -> GaitDataset:
    """The sequences to be tested, among which the protocol has found gallery and probes.

    Args:
        config: of the run.
        split: ``val`` or ``test``.
        with_bodies: whether to read bodies too.

    Raises:
        UserError: files or ids are missing, or the protocol cannot be applied.
    """
    frames = FrameSampling.from_config(config.evaluator_cfg.sampler.model_dump())
    dataset = GaitDataset(config.data_cfg.model_dump(), split, with_bodies, frames)
    split_test_set(config, dataset)
    return dataset


def split_test_set(config: Config, table: SequenceTable) -> Split:
    """Gallery and probes among test sequences, by the protocol of ``eval_func``.

    Raises:
        UserError: the protocol cannot be applied.
    """
    split = split_Gait3D if config.evaluator_cfg.eval_func == "evaluate_Gait3D" else split_indoor_dataset
    return split(table.label_list, table.types_list, table.views_list, **protocol(config))


def protocol(config: Config) -> dict[str, Any]:
    """What the evaluator of ``eval_func`` must know of the data set."""
    if config.evaluator_cfg.eval_func != "evaluate_Gait3D":
        return {"dataset": config.data_cfg.test_dataset_name or config.data_cfg.dataset_name}
    partition = read_json(config.data_cfg.dataset_partition)
    if not isinstance(partition, dict) or not isinstance(partition.get("PROBE_SET"), list):
        raise UserError(
            f"evaluate_Gait3D needs a list PROBE_SET (names id-type-view) in {config.data_cfg.dataset_partition}. Use "
            "Gait3D's own partition, or eval_func: evaluate_indoor_dataset."
        )
    return {"probes": partition["PROBE_SET"]}


def describe_data(dataset: GaitDataset) -> dict[str, Any]:
    """Size and fingerprint of a set of sequences, wherever it lies."""
    names = "\n".join(info.name for info in dataset.seqs)
    return {"sequences": len(dataset), "fingerprint": hashlib.sha256(names.encode()).hexdigest()}


def describe_body(supervision: BodySupervision | None) -> dict[str, str] | None:
    """Name and fingerprint of the body behind the targets."""
    if supervision is None:
        return None
    return {"name": supervision.body.name, "fingerprint": supervision.body.fingerprint}
