"""What a network of a config costs: parameters, operations, and the work whose time and memory are measured."""

import torch

from opengait_meshgait.benchmark.interleaved import Trial
from opengait_meshgait.benchmark.workload import BATCH, CALLS, SEQUENCE, TRAINING, Load
from opengait_meshgait.body.supervision import BodySupervision
from opengait_meshgait.data import Batch
from opengait_meshgait.engine import build
from opengait_meshgait.engine.config import load_config
from opengait_meshgait.engine.state import TrainingState
from opengait_meshgait.networks.complexity import count_flops
from opengait_meshgait.recipe.training_step import TrainingStep


def speed_trial(path: str, overrides: list[str], load: Load, device: torch.device) -> Trial:
    """The network of a config, ready to be timed.

    The tasks are to recognise one sequence, to recognise a batch at once, and to learn from it. A training step is
    targets from bodies, forward pass, losses, backward pass and optimizer; neither reading data nor augmentation, which
    OpenGait does while reading.

    Args:
        path: of the YAML file.
        overrides: ``"a.b.c=value"``.
        load: what to do.
        device: where.

    Raises:
        UserError: the config cannot be used.
    """
    torch.manual_seed(0)
    config = load_config(path, overrides)
    preparation = build.build_preparation(config, training=True)
    preparation.augmentation = None
    supervision = preparation.supervision
    net = build.build_network(config, supervision).to(device)
    parameters, gflops = count_flops(net, load.frames)
    optimizer = build.build_optimizer(config, net)
    half = load.half and device.type == "cuda"
    scaler = torch.amp.GradScaler("cuda", enabled=half)
    state = TrainingState(net, optimizer, build.build_scheduler(config, optimizer), scaler)
    step = TrainingStep(net, build.build_losses(config), preparation, torch.float16 if half else None)
    batch = _batch(load, supervision, config.model_cfg.SeparateBNNecks.class_num).to(device)
    sils = preparation.for_test(batch)

    def recognise(count: int) -> None:
        net.eval()
        with torch.inference_mode(), torch.autocast(device.type, dtype=torch.float16, enabled=half):
            net(sils[:count])

    def train() -> None:
        net.train()
        state.backward(step(batch, iteration=0).loss)
        state.update(config.trainer_cfg.clip_grad_norm)

    tasks = {SEQUENCE: lambda: recognise(1), BATCH: lambda: recognise(load.sequences), TRAINING: train}
    return Trial({"parameters": parameters, "gflops": gflops, "sequences": load.sequences}, tasks, device, CALLS)


def _batch(load: Load, supervision: BodySupervision | None, class_num: int) -> Batch:
    n = load.sequences
    return Batch(
        sils=load.silhouettes(),
        bodies=None if supervision is None else load.bodies(),
        weights=None,
        seqL=None,
        labels=load.labels() % class_num,
        types=["nm-01"] * n,
        views=["000"] * n,
        indices=torch.arange(n),
        seeds=torch.arange(n),
    )
