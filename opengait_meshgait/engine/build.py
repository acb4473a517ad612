"""From a config to the things it names. What a user can have mistyped is found here, before any data are read."""

import hashlib
from typing import Any

import torch
from torch import nn

from opengait_meshgait.body.supervision import BodySupervision
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.files import read_json
from opengait_meshgait.data import FrameSampling, GaitDataset, SequenceTable
from opengait_meshgait.engine.checks import modalities
from opengait_meshgait.engine.optimization import OPTIMIZERS, SCHEDULERS, build_named
from opengait_meshgait.engine.schema import EVAL_FUNCTIONS, Config
from opengait_meshgait.evaluation import Protocol, Split, find_protocol, split_gallery
from opengait_meshgait.losses import SILHOUETTE_TERM, LossSum, emitted_terms
from opengait_meshgait.networks import MeshGaitNet
from opengait_meshgait.recipe.lda_fit import WholeSequences, fit_lda
from opengait_meshgait.recipe.preparation import BatchPreparation, check_class_num
from opengait_meshgait.recipe.training_step import network_to_train, reconstruction


def uses_bodies(config: Config) -> bool:
    """Whether training compares with bodies: there is a heatmap branch, and two modalities are in use."""
    return config.model_cfg.heatmap_cfg is not None and modalities(config) == 2


def compares_silhouettes(config: Config) -> bool:
    """Whether a loss compares meshes with their silhouettes, which takes no true body."""
    return any(loss.get("log_prefix") == SILHOUETTE_TERM for loss in config.loss_cfg)


def needs_body(config: Config) -> bool:
    """Whether training reconstructs a mesh, to compare it with true bodies or with its silhouette."""
    return config.model_cfg.heatmap_cfg is not None and (compares_silhouettes(config) or uses_bodies(config))


def build_preparation(config: Config, training: bool) -> BatchPreparation:
    """Transforms, the body, its targets where there are bodies and, for ``training``, augmentation."""
    model = config.model_cfg
    return BatchPreparation(
        config.evaluator_cfg.transform,
        config.trainer_cfg.transform if training else None,
        model.body_cfg.model_dump() if needs_body(config) else None,
        model.augment_cfg,
        uses_bodies(config),
    )


def build_network(config: Config, supervision: BodySupervision | None) -> MeshGaitNet:
    """The network of ``model_cfg``, ready for ``loss_cfg``; with ``supervision``, it can reconstruct bodies."""
    terms = [str(loss.get("log_prefix")) for loss in config.loss_cfg]
    return network_to_train(config.model_cfg.model_dump(exclude_none=True), reconstruction(supervision), terms)


def place_network(net: MeshGaitNet, device: torch.device) -> MeshGaitNet:
    """``net`` on the device that trains it, or fits its LDA head.

    On a CPU, convolutions over frames and batch normalisation are faster where channels lie last. Two kinds are left as
    they are: on processors with AVX-512 this is not tried since a backward pass crashed there, and somebody's own
    backbone may have 1×1 convolutions with a stride (see ``StridedProjection`` in ``networks/blocks.py``).
    """
    net = net.to(device)
    safe = all(module.kernel_size != (1, 1) or module.stride == (1, 1) for module in _over_frames(net))
    if device.type == "cpu" and safe and torch.backends.cpu.get_cpu_capability() == "AVX2":
        lay_channels_last(net)
    return net


def lay_channels_last(net: MeshGaitNet) -> None:
    """Let the weights of convolutions over frames, and so what these compute, lie with their channels last."""
    for module in _over_frames(net):
        module.weight.data = module.weight.contiguous(memory_format=torch.channels_last)


def _over_frames(net: MeshGaitNet) -> list[nn.Conv2d]:
    return [module for module in net.modules() if isinstance(module, nn.Conv2d)]


def build_losses(config: Config) -> LossSum:
    """The losses of ``loss_cfg``, each checked against what the network emits."""
    return LossSum(config.loss_cfg, emitted_terms(config.model_cfg.heatmap_cfg is not None, uses_bodies(config)))


def build_optimizer(config: Config, net: nn.Module) -> torch.optim.Optimizer:
    """The optimizer of ``optimizer_cfg``, for all parameters that learn."""
    parameters = (p for p in net.parameters() if p.requires_grad)
    return build_named("optimizer_cfg", OPTIMIZERS, config.optimizer_cfg.model_dump(), parameters)


def build_scheduler(config: Config, optimizer: torch.optim.Optimizer) -> torch.optim.lr_scheduler.LRScheduler:
    """The schedule of ``scheduler_cfg``."""
    return build_named("scheduler_cfg", SCHEDULERS, config.scheduler_cfg.model_dump(), optimizer)


def build_train_set(config: Config, with_bodies: bool, classified: bool = True) -> GaitDataset:
    """The training sequences, with or without bodies.

    Args:
        config: of the run.
        with_bodies: whether to read bodies too.
        classified: whether these people are the network's classes; an LDA head may be fitted to others.

    Raises:
        UserError: files or ids are missing, or there are more identities than classes.
    """
    frames = FrameSampling.from_config(config.trainer_cfg.sampler.model_dump())
    dataset = GaitDataset(config.data_cfg.model_dump(), "train", with_bodies, frames)
    if classified:
        check_class_num(config.model_cfg.SeparateBNNecks.class_num, len(dataset.label_set))
    return dataset


def fit_head(
    net: MeshGaitNet, dataset: GaitDataset, config: Config, preparation: BatchPreparation, quiet: bool = False
) -> str | None:
    """Fit the LDA head of ``net``, if it has one, to the training sequences; it is left in evaluation mode.

    Returns:
        As :func:`~opengait_meshgait.recipe.lda_fit.fit_lda`.

    Raises:
        UserError: the training set has too few people or sequences.
    """
    if net.Discriminant is None:
        return None
    sampler, data = config.evaluator_cfg.sampler, config.data_cfg
    frames = FrameSampling.from_config(sampler.model_dump())
    see = WholeSequences(net.eval(), frames, preparation, sampler.batch_size, data.num_workers, quiet)
    return fit_lda(net.Discriminant, see, dataset, data.model_dump())


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
    """Gallery and probes among test sequences, by the protocol of the config.

    Raises:
        UserError: the protocol cannot be applied.
    """
    return split_gallery(table.label_list, table.types_list, table.views_list, *build_protocol(config))


def build_protocol(config: Config) -> tuple[Protocol, list[str]]:
    """The protocol of ``eval_func`` or else of ``test_dataset_name``, and the names that the partition has for it.

    Raises:
        UserError: there is no such protocol, its file cannot be used, or the partition has no such list.
    """
    data, function = config.data_cfg, config.evaluator_cfg.eval_func
    protocol = find_protocol(EVAL_FUNCTIONS[function] or data.test_dataset_name or data.dataset_name)
    key = protocol.partition_key
    if key is None:
        return protocol, []
    partition = read_json(data.dataset_partition)
    if not isinstance(partition, dict) or not isinstance(partition.get(key), list):
        raise UserError(
            f"{protocol.name}'s protocol needs a list {key} (names id-type-view) in {data.dataset_partition}. Use "
            f"{protocol.name}'s own partition, or eval_func: evaluate_indoor_dataset with the protocol of "
            "test_dataset_name."
        )
    return protocol, partition[key]


def describe_data(dataset: SequenceTable) -> dict[str, Any]:
    """Size and fingerprint of a set of sequences, wherever it lies."""
    names = "\n".join(info.name for info in dataset.seqs)
    return {"sequences": len(dataset), "fingerprint": hashlib.sha256(names.encode()).hexdigest()}


def describe_body(supervision: BodySupervision | None) -> dict[str, str] | None:
    """Name and fingerprint of the body behind the targets."""
    if supervision is None:
        return None
    return {"name": supervision.body.name, "fingerprint": supervision.body.fingerprint}
