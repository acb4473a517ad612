"""OpenGait's own classes and functions in a process that is not its ``main.py``, with a GPU or without.

To be timed beside this package's. Everything here changes the process, which is to be one of its own.
"""

import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import yaml
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from opengait_meshgait.benchmark.evaluation_workload import CROSS_VIEW, GAIT3D, EvaluationCase
from opengait_meshgait.benchmark.interleaved import Workload
from opengait_meshgait.benchmark.network_workload import BATCH, CALLS, SEQUENCE, TRAINING, SpeedCase
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.files import write_json

MODELS = {
    "GaitBase": "configs/gaitbase/gaitbase_da_gait3d.yaml",
    "GaitSet": "configs/gaitset/gaitset.yaml",
    "GaitPart": "configs/gaitpart/gaitpart.yaml",
    "GaitGL": "configs/gaitgl/gaitgl.yaml",
    "DeepGaitV2": "configs/deepgaitv2/DeepGaitV2_gait3d.yaml",
    "SMPLGait": "configs/smplgait/smplgait.yaml",
    "SkeletonGait++": "configs/skeletongait/skeletongait++_Gait3D.yaml",
}
"""OpenGait's models, by the config of its own that each is built from."""
# The class heads, under OpenGait's names.
_CLASS_HEADS = ("BNNecks.", "Head1.")


def enter(root: Path, device: torch.device) -> None:
    """Make this process the only one of an OpenGait that is about to run, and let its packages be imported.

    Args:
        root: the checkout.
        device: where it is to compute. It knows CUDA alone; what it asks of that is answered by the CPU where there
            is no other.

    Raises:
        UserError: its packages cannot be imported.
    """
    sys.path.insert(0, str(root / "opengait"))
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    if device.type == "cpu":
        torch.cuda.set_device = lambda device: None
        torch.cuda.current_device = lambda: 0
        for kind in (torch.Tensor, nn.Module):
            setattr(kind, "cuda", lambda self: self)  # noqa: B010
    try:
        from modeling import models  # noqa: F401, all that a benchmark may want of it
        from utils import get_msg_mgr
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(
            f"the modules of {root} cannot be imported: {reason}. Install what its README names; torch and torchvision "
            "must be of one release and one kind, both for CUDA or both for the CPU."
        ) from error
    get_msg_mgr().logger = logging.getLogger("opengait")
    get_msg_mgr().logger.setLevel(logging.ERROR)


def opengait_network_workload(root: Path, name: str, case: SpeedCase, device: torch.device) -> Workload:
    """One of OpenGait's models, with the losses and the optimizer of its config, ready to be timed.

    The tasks are those of this package's networks. Pictures of silhouettes have gradients in training, as OpenGait
    gives them.

    Args:
        root: the checkout.
        name: a key of :data:`MODELS`.
        case: what to do.
        device: where.
    """
    torch.manual_seed(0)
    enter(root, device)
    from modeling import models
    from utils import MergeCfgsDict

    cfgs = yaml.safe_load((root / "configs/default.yaml").read_text(encoding="utf-8"))
    MergeCfgsDict(yaml.safe_load((root / MODELS[name]).read_text(encoding="utf-8")), cfgs)
    half = case.half and device.type == "cuda"
    cfgs["trainer_cfg"] |= {"enable_float16": half, "with_test": False, "restore_hint": 0}
    Model: Any = getattr(models, cfgs["model_cfg"]["model"])

    class Alone(Model):
        """Without data to load, and on the device that is asked for."""

        def get_loader(self, *_, **__):
            return None

        def to(self, *_, **__):
            return super().to(device)

    model = Alone(cfgs, True)
    inputs = [tensor.to(device).requires_grad_() for tensor in _inputs(name, case)]
    labels = case.labels().to(device)

    def recognise(count: int) -> None:
        model.eval()
        # GaitGL wants one label in evaluation; none is used.
        with torch.no_grad(), torch.autocast(device.type, dtype=torch.float16, enabled=half):
            model(([x[:count].detach() for x in inputs], labels[:1], None, None, None))

    def train() -> None:
        model.train()
        with torch.autocast(device.type, dtype=torch.float16, enabled=half):
            features = model((inputs, labels, None, None, None))["training_feat"]
        model.train_step(model.loss_aggregator(features)[0])

    with FlopCounterMode(display=False) as counter:
        recognise(1)
    facts = {
        "parameters": sum(p.numel() for name, p in model.named_parameters() if not name.startswith(_CLASS_HEADS)),
        "gflops": counter.get_total_flops() / 1e9,
        "sequences": case.sequences,
    }
    tasks = {SEQUENCE: lambda: recognise(1), BATCH: lambda: recognise(case.sequences), TRAINING: train}
    return Workload(facts, tasks, device, CALLS)


def opengait_evaluation_workload(root: Path, folder: Path, case: EvaluationCase, device: torch.device) -> Workload:
    """OpenGait's evaluators on the same features as this package's, ready to be timed.

    Args:
        root: the checkout.
        folder: an empty one, to work in.
        case: the features.
        device: where.
    """
    enter(root, device)
    from evaluation import evaluator

    # The evaluator reads it from the folder that OpenGait is started in.
    write_json(folder / "datasets/Gait3D/Gait3D.json", {"PROBE_SET": case.probe_names})
    os.chdir(folder)
    data = {"embeddings": case.embeddings().numpy(), "labels": case.labels, "types": case.types, "views": case.views}

    def metrics(found: Mapping[str, float]) -> dict[str, float]:
        return {name.removeprefix("scalar/test_accuracy/"): float(value) for name, value in found.items()}

    tasks = {
        GAIT3D: lambda: metrics(evaluator.evaluate_Gait3D(data, "Gait3D", case.metric)),
        CROSS_VIEW: lambda: metrics(evaluator.evaluate_indoor_dataset(data, "OUMVLP", case.metric)),
    }
    return Workload({}, tasks, device)


def _inputs(name: str, case: SpeedCase) -> list[torch.Tensor]:
    """What the model reads: silhouettes ``[n, s, 64, 44]``, 0…1, and for some of them more."""
    sils = case.silhouettes()[..., 10:-10] / 255
    if name == "SMPLGait":
        return [sils, case.bodies()]
    if name == "SkeletonGait++":
        # Heatmaps of joints and of limbs, and the silhouettes behind them.
        return [torch.stack([sils, sils, sils], dim=2)]
    return [sils]
