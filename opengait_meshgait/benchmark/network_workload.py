"""The work by which the speed of networks is measured, the same for all; and the network of a config to do it."""

import math
from dataclasses import dataclass

import torch

from opengait_meshgait.benchmark.interleaved import Workload
from opengait_meshgait.body.layout import ROOT_TURN
from opengait_meshgait.body.supervision import BodySupervision
from opengait_meshgait.common.memory import keep_freed_memory
from opengait_meshgait.data import Batch
from opengait_meshgait.engine import build
from opengait_meshgait.engine.config import load_config
from opengait_meshgait.engine.schema import Config
from opengait_meshgait.engine.state import TrainingState
from opengait_meshgait.networks.build import count_flops
from opengait_meshgait.recipe.training_step import TrainingStep

SEQUENCE, BATCH, TRAINING = "one sequence", "a batch", "a training step"
"""The tasks: to recognise one sequence, to recognise a batch at once, to learn from it."""
CALLS = {SEQUENCE: 3}
"""Short tasks are called several times for one measurement."""


@dataclass(frozen=True)
class SpeedCase:
    """The size of the work.

    Attributes:
        people: in a batch.
        each: sequences of each of them.
        frames: of a sequence.
        half: float16 autocast, on CUDA only.
    """

    people: int
    each: int
    frames: int
    half: bool

    @property
    def sequences(self) -> int:
        """In a batch."""
        return self.people * self.each

    def labels(self) -> torch.Tensor:
        """The people of a batch, int64 [n]."""
        return torch.arange(self.people).repeat_interleave(self.each)

    def silhouettes(self, size: int = 64) -> torch.Tensor:
        """Ellipses of many widths, uint8 [n, s, size, size], 0…255: half empty as people are, which noise is not."""
        width = torch.rand(self.sequences, self.frames, 1, 1, generator=torch.Generator().manual_seed(0)) * 10 + 6
        row, column = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
        return (((column - size / 2) / width) ** 2 + (2 * row / size - 1) ** 2 < 1).to(torch.uint8) * 255

    def bodies(self) -> torch.Tensor:
        """Standing people who sway, SMPL-format frames, float32 [n, s, 85]."""
        frames = torch.randn(self.sequences, self.frames, 85, generator=torch.Generator().manual_seed(0)) * 0.1
        frames[..., ROOT_TURN] = torch.tensor([math.pi, 0, 0])
        return frames


def network_workload(path: str, overrides: list[str], case: SpeedCase, device: torch.device) -> Workload:
    """The network of a config, ready to be timed.

    A training step is targets from bodies, forward pass, losses, backward pass and optimizer; neither reading data nor
    augmentation, which OpenGait does while reading.

    Args:
        path: of the YAML file.
        overrides: ``"a.b.c=value"``.
        case: what to do.
        device: where.

    Raises:
        UserError: the config cannot be used.
    """
    half = case.half and device.type == "cuda"
    training = SteppedTraining(load_config(path, overrides), case, device, torch.float16 if half else None)
    net, sils = training.net, training.preparation.for_test(training.batch)
    parameters, gflops = count_flops(net, case.frames)

    def recognise(count: int) -> None:
        net.eval()
        with torch.inference_mode(), torch.autocast(device.type, dtype=torch.float16, enabled=half):
            net(sils[:count])

    def train() -> None:
        training.step()

    tasks = {SEQUENCE: lambda: recognise(1), BATCH: lambda: recognise(case.sequences), TRAINING: train}
    facts = {"parameters": parameters, "gflops": gflops, "sequences": case.sequences}
    return Workload(facts, tasks, device, CALLS)


class SteppedTraining:
    """A network that learns from one batch over and over.

    Args:
        config: of the network.
        case: the size of the batch.
        device: where.
        half: the 16-bit type to compute in, or None for float32.
    """

    def __init__(self, config: Config, case: SpeedCase, device: torch.device, half: torch.dtype | None):
        keep_freed_memory()  # as trainings do
        torch.manual_seed(0)
        self.config, self.preparation = config, build.build_preparation(config, training=True)
        self.preparation.augmentation = None
        supervision = self.preparation.supervision
        self.net = build.place_network(build.build_network(config, supervision), device)
        optimizer = build.build_optimizer(config, self.net)
        scaler = torch.amp.GradScaler("cuda", enabled=half is torch.float16)
        self._state = TrainingState(self.net, optimizer, build.build_scheduler(config, optimizer), scaler)
        self._step = TrainingStep(self.net, build.build_losses(config), self.preparation, half)
        self.batch = _batch(case, supervision, config.model_cfg.SeparateBNNecks.class_num).to(device)

    def step(self) -> torch.Tensor:
        """One step; its loss, before it."""
        self.net.train()
        loss = self._step(self.batch, iteration=0).loss
        self._state.backward(loss)
        self._state.update(self.config.trainer_cfg.clip_grad_norm)
        return loss.detach()


def _batch(case: SpeedCase, supervision: BodySupervision | None, class_num: int) -> Batch:
    n = case.sequences
    return Batch(
        sils=case.silhouettes(),
        bodies=None if supervision is None else case.bodies(),
        weights=None,
        seqL=None,
        labels=case.labels() % class_num,
        types=["nm-01"] * n,
        views=["000"] * n,
        indices=torch.arange(n),
        seeds=torch.arange(n),
    )
