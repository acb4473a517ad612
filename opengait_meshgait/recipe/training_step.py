"""The network that is trained, and one training step up to its loss."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from opengait_meshgait.body.overlap import draw_meshes
from opengait_meshgait.body.supervision import BodySupervision, BodyTargets
from opengait_meshgait.common.distributed import world_size
from opengait_meshgait.data import Batch
from opengait_meshgait.losses import COMPARED, RECOGNITION_TERMS, SILHOUETTE_TERM, LossSum, loss_inputs
from opengait_meshgait.networks import (
    SILHOUETTE_SIZE,
    MeshGaitNet,
    MeshGaitOutput,
    Reconstruction,
    make_network,
)
from opengait_meshgait.recipe.preparation import BatchPreparation


def network_to_train(model_cfg: Mapping[str, Any], known: Reconstruction | None, terms: Collection[str]) -> MeshGaitNet:
    """The network of ``model_cfg`` with fresh weights, ready for the losses ``terms`` (by ``log_prefix``).

    Where no loss teaches recognition, 3D alone is trained: the rest is neither computed nor changed. Weights that no
    loss depends on are frozen. ``known`` is what :func:`reconstruction` knows of the body that supervises.

    Raises:
        UserError: a key is missing, or parts of the config do not fit each other.
    """
    net = make_network(model_cfg, known)
    if not {*terms} & {*RECOGNITION_TERMS}:
        net.train_3d_alone()
    _freeze_untaught(net, terms)
    return net


def frozen_weights(net: MeshGaitNet) -> str | None:
    """One line for the user where :func:`network_to_train` froze more than its config says; else None."""
    names = [name for name in net.untaught if not name.startswith("BNNecks.")]
    if not names:
        return None
    return f"No loss depends on {len(names)} weights of the network, {names[0]} among them: they stay as they are."


@torch.enable_grad()
def _freeze_untaught(net: MeshGaitNet, terms: Collection[str]) -> None:
    """DistributedDataParallel waits for the gradient of every weight that is not frozen."""
    training = net.training
    output = net.eval()(torch.zeros(1, 4, *SILHOUETTE_SIZE), reconstruct=True)
    net.train(training)
    found = [getattr(output, attribute) for term, attribute in COMPARED.items() if term in terms]
    # Without a body there are neither joints nor meshes, and nothing trains.
    compared = [tensor.sum() for tensor in found if tensor is not None and tensor.requires_grad]
    weights = {name: parameter for name, parameter in net.named_parameters() if parameter.requires_grad}
    if not compared:
        return
    gradients = torch.autograd.grad(compared, [*weights.values()], allow_unused=True)
    net.untaught = [name for name, gradient in zip(weights, gradients) if gradient is None]
    for name in net.untaught:
        weights[name].requires_grad_(False)


def running_statistics(net: nn.Module) -> list[torch.Tensor]:
    """Those of batch normalisation: the only buffers that training changes."""
    norms = [module for module in net.modules() if isinstance(module, _BatchNorm)]
    return [buffer for norm in norms for buffer in norm.buffers(recurse=False)]


def send_no_buffers(net: nn.Module) -> None:
    """Let DistributedDataParallel, which is to wrap ``net``, send no buffers from process to process at every step.

    Running statistics are sent when they are needed, see :func:`share_statistics`; all others are constants.
    """
    DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(net, [name for name, _ in net.named_buffers()])


def share_statistics(net: nn.Module) -> None:
    """Give all processes the running statistics of the first, before they evaluate.

    Without ``sync_BN`` each has its own.
    """
    if world_size() > 1:
        for buffer in running_statistics(net):
            dist.broadcast(buffer, 0)


def reconstruction(supervision: BodySupervision | None) -> Reconstruction | None:
    """Markers to joints and mesh, for the body that supervises; None without one."""
    return None if supervision is None else Reconstruction(**supervision.of_markers())


def silhouettes_of_meshes(
    sils: torch.Tensor, output: MeshGaitOutput, supervision: BodySupervision | None, terms: Collection[str]
) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Silhouettes [n, s, h, w] and which of their pixels the reconstructed meshes cover, bool [n, s, h, w].

    None where no loss of ``terms`` asks for them, or there is no mesh.
    """
    if SILHOUETTE_TERM not in terms or supervision is None or output.vertices is None:
        return None
    covered = draw_meshes(output.vertices.flatten(0, 1), supervision.body.faces, *sils.shape[-2:])
    return sils, covered.unflatten(0, sils.shape[:2])


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
        seen = silhouettes_of_meshes(sils, output, self.preparation.supervision, self.losses.losses.keys())
        loss, scalars = self.losses(loss_inputs(output, batch.labels, targets, iteration, seen))
        return StepResult(loss, scalars, sils, targets, output)
