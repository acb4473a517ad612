"""Makes the classes of this package known to OpenGait, by the names that its YAML files use."""

import os
import socket
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from evaluation import evaluator as evaluators
from modeling import backbones, losses, models
from modeling.losses.base import BaseLoss
from torch import nn
from utils import get_msg_mgr

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.evaluation import evaluate_recognition, find_protocol
from opengait_meshgait.losses import JointLoss, MarkerLoss, MeshLoss, SilhouetteLoss
from opengait_meshgait.networks.registry import BACKBONES, ESTIMATORS
from opengait_meshgait.opengait.model import MeshGait

_OF_TORCHRUN = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


def evaluate_walkers(data: Mapping[str, Any], dataset: str, metric: str = "euc") -> dict[str, float]:
    """The figures of a protocol that OpenGait does not know, in the form of its evaluators.

    Args:
        data: ``embeddings [n, c, p]`` float32 with n ``labels``, ``types`` and ``views``.
        dataset: names a protocol, see :func:`opengait_meshgait.evaluation.find_protocol`.
        metric: ``euc`` or ``cos``.

    Returns:
        ``scalar/test_accuracy/<name>``, percent.
    """
    features = torch.from_numpy(data["embeddings"])
    sequences = (data["labels"], data["types"], data["views"])
    result = evaluate_recognition(features, *sequences, find_protocol(dataset), metric=metric)
    figures = "\t".join(f"{name}: {value:.2f}%" for name, value in result.metrics.items())
    for line in (*result.notes, figures):
        get_msg_mgr().log_info(line)
    return {f"scalar/test_accuracy/{name}": value for name, value in result.metrics.items()}


def supply_one_process() -> None:
    """Let ``python opengait/main.py`` do without torchrun: the variables that it would set, for one process.

    Where one of them is set, or another program imports OpenGait, nothing is done.
    """
    if Path(sys.argv[0]).name != "main.py" or not os.environ.keys().isdisjoint(_OF_TORCHRUN):
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        os.environ.update(zip(_OF_TORCHRUN, ("0", "0", "1", "127.0.0.1", str(free.getsockname()[1]))))
    said = "MeshGait: started without torchrun, as one process."
    if (gpus := torch.cuda.device_count()) > 1:
        # OpenGait refuses fewer processes than there are GPUs.
        os.environ["CUDA_VISIBLE_DEVICES"] = os.environ.get("CUDA_VISIBLE_DEVICES", "0").partition(",")[0]
        said += f" {gpus} GPUs are here: torchrun --nproc_per_node={gpus} opengait/main.py … uses all of them."
    print(said, flush=True)


def register() -> None:
    """Add what OpenGait lacks; nothing of it is replaced. May be called more than once.

    Raises:
        UserError: OpenGait has another class under one of these names.
    """
    for entry in (*BACKBONES.entries.values(), *ESTIMATORS.entries.values()):
        if not hasattr(backbones, entry.__name__):
            setattr(backbones, entry.__name__, entry)
    for loss in (JointLoss, MarkerLoss, MeshLoss, SilhouetteLoss):
        _add(losses, _as_base_loss(loss))
    _add(evaluators, evaluate_walkers)
    _add(models, MeshGait)


@cache
def _as_base_loss(loss: type[nn.Module]) -> type[nn.Module]:
    """A body loss as OpenGait's aggregator builds it.

    OpenGait averages gradients over the processes, and these losses add up the weights of frames over all of them, so
    neither gathering nor scaling is needed. They have no parameters, so a checkpoint needs nothing of them.
    """
    return type(loss.__name__, (loss, BaseLoss), {"__doc__": loss.__doc__})


def _add(module: ModuleType, entry: Callable) -> None:
    present = getattr(module, entry.__name__, entry)
    if present is not entry:
        raise UserError(
            f"{module.__name__} has a {entry.__name__} already, from {present.__module__}. Take one of the two out."
        )
    setattr(module, entry.__name__, entry)
