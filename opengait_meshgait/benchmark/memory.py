"""``meshgait bench memory``: what a training step will take of a GPU, without a GPU.

The step runs on tensors that have shapes and no values, on any machine in seconds, and what they would occupy is added
up operator by operator. Left out are what cuDNN takes besides for its work, what PyTorch keeps of freed memory, and the
computation of targets, which comes before the network's. Attention counts as PyTorch computes it on a CPU, which takes
more than on a GPU.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.distributed._tools.mem_tracker import MemTracker
from torch.utils._python_dispatch import TorchDispatchMode

from opengait_meshgait.body.supervision import BodyTargets
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.files import atomic_path, write_json
from opengait_meshgait.common.provenance import command, commit, versions
from opengait_meshgait.common.tables import markdown
from opengait_meshgait.engine import build
from opengait_meshgait.engine.config import load_config
from opengait_meshgait.engine.schema import Config
from opengait_meshgait.losses import SILHOUETTE_TERM, loss_inputs
from opengait_meshgait.networks import SILHOUETTE_SIZE
from opengait_meshgait.recipe.training_step import network_to_train, reconstruction

_GIB = 2**30


class _Assumed(TorchDispatchMode):
    """Where a program asks for a value that there is not, it is told that all is well."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is torch.ops.aten._local_scalar_dense.default:
            return True if args[0].dtype is torch.bool else 1
        return func(*args, **(kwargs or {}))


def bench_memory(
    configs: Sequence[str],
    overrides: Sequence[str],
    batch: tuple[int, int] | None,
    frames: int | None,
    gpus: Sequence[int],
    out: Path,
) -> str:
    """Trace the training steps of configs, and write ``memory.md`` and ``memory.json``.

    Args:
        configs: YAML files.
        overrides: ``--set``, for all of them.
        batch: people, and sequences of each; None: as each config says.
        frames: of a sequence; None: as each config says.
        gpus: numbers of GPUs that share the batch.
        out: folder of the files.

    Returns:
        The table, in Markdown.

    Raises:
        UserError: a config cannot be used, a number of GPUs does not divide a batch, leaves one sequence alone, or
            the frames are not fixed.
    """
    rows = [["", "batch", "frames", "precision", *(f"{n} GPU{'s' * (n > 1)}, GiB" for n in gpus)]]
    found = []
    for path in configs:
        config = load_config(path, overrides)
        sampler = config.trainer_cfg.sampler
        people, each = batch or sampler.batch_size
        length = frames or sampler.frames_num_fixed
        if frames is None and not sampler.sample_type.startswith("fixed"):
            raise UserError(f"{path}: sample_type {sampler.sample_type} fixes no number of frames. Give --frames N.")
        if any(people * each % n for n in gpus):
            raise UserError(f"{path}: a batch of {people} x {each} sequences cannot be shared by {gpus} GPUs each.")
        if people * each == max(gpus):
            raise UserError(
                f"{path}: a batch of {people} x {each} leaves 1 sequence on each of {max(gpus)} GPUs, and batch "
                "normalisation needs 2. Take a larger batch, or fewer --gpus."
            )
        peaks = {n: step_memory(config, people * each // n, length) for n in gpus}
        precision = "fp16" if config.trainer_cfg.enable_float16 else "fp32"
        name = Path(path).stem
        rows.append(
            [name, f"{people}×{each}", str(length), precision, *(f"{peak / _GIB:.1f}" for peak in peaks.values())]
        )
        found.append({"name": name, "batch": [people, each], "frames": length, "precision": precision, "peak": peaks})
    text = f"{markdown(rows)}\n\nPeak of a training step on each GPU, traced without one."
    write_json(
        out / "memory.json",
        {"schema": 1, "command": command(), "versions": versions(), "commit": commit(), "configs": found},
    )
    with atomic_path(out / "memory.md") as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    return text


def step_memory(config: Config, sequences: int, frames: int) -> int:
    """The most that a training step holds at once: weights, gradients, optimizer, activations; bytes.

    Args:
        config: of the run.
        sequences: of the batch, on one GPU.
        frames: of each of them.
    """
    supervision = build.build_preparation(config, training=True).supervision
    terms, half = [str(loss.get("log_prefix")) for loss in config.loss_cfg], config.trainer_cfg.enable_float16
    known = reconstruction(supervision)
    with FakeTensorMode(allow_non_fake_inputs=True), _Assumed():
        net = network_to_train(config.model_cfg.model_dump(exclude_none=True), known, terms)
        optimizer = build.build_optimizer(config, net)
        losses = build.build_losses(config)
        sils = torch.empty(sequences, frames, *SILHOUETTE_SIZE)
        targets = None
        if supervision is not None:
            points = {
                "joints": 24,
                "markers": len(supervision.markers.flip),
                "vertices": len(supervision.flips.vertices),
            }
            weights = torch.empty(3, sequences, frames).unbind()
            targets = BodyTargets(*(torch.empty(sequences, frames, n, 3) for n in points.values()), *weights)
        labels = torch.empty(sequences, dtype=torch.int64)

        def step() -> None:
            with torch.autocast("cpu", torch.float16, enabled=half):
                output = net(sils)
            covered = None
            if SILHOUETTE_TERM in losses.losses:
                covered = sils, torch.empty(sils.shape, dtype=torch.bool)
            loss, _ = losses(loss_inputs(output, labels, targets, 0, covered))
            del output
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()

        step()  # the optimizer has its moments afterwards
        tracker = MemTracker()
        tracker.track_external(net, optimizer, sils, labels, *(() if targets is None else vars(targets).values()))
        with tracker:
            step()
        return sum(max(kinds.values()) for kinds in tracker.get_tracker_snapshot("peak").values())
