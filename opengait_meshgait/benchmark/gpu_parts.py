"""What ``meshgait bench gpu`` does, part by part."""

import os
import shutil
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch
import torch.nn.functional as F
import yaml

import opengait_meshgait
from opengait_meshgait.benchmark.network_workload import BATCH, TRAINING, SpeedCase, SteppedTraining
from opengait_meshgait.benchmark.speed import bench_speed
from opengait_meshgait.common.distributed import PRECISIONS, pick_device
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.files import read_json
from opengait_meshgait.engine import build
from opengait_meshgait.engine.config import load_config
from opengait_meshgait.engine.progress import losses_in
from opengait_meshgait.engine.schema import Config
from opengait_meshgait.engine.training import train
from opengait_meshgait.networks.recognition import Recognition
from opengait_meshgait.opengait.launch import resolve_paths, spelled_out
from opengait_meshgait.walkers import WalkerSet, write_walkers

BESIDE = ("GaitBase", "SMPLGait", "DeepGaitV2", "SkeletonGait++")
"""OpenGait's models that are measured in turns with the networks of configs."""
_ITERATIONS = 10

GpuFigures = Mapping[str, str]
"""What a part found: a name, and a figure with its unit."""


@dataclass(frozen=True)
class GpuCase:
    """What is asked for.

    Attributes:
        configs: YAML files; the first is trained, and recognised with in every way.
        overrides: ``--set``, for all of them.
        speed: people, sequences and frames of a batch.
        rounds: of measurements.
        device: as for ``--device``.
        opengait: a checkout, or None. It stays as it is: a copy is attached to.
        out: folder of all files.
    """

    configs: tuple[str, ...]
    overrides: tuple[str, ...]
    speed: SpeedCase
    rounds: int
    device: str
    opengait: Path | None
    out: Path


def first_line(error: Exception) -> str:
    """What to tell of an error in a table."""
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}"


def _config(case: GpuCase) -> Config:
    """The first config, on a few walkers."""
    people, each = case.speed.people, case.speed.each
    root = case.out / "walkers"
    options = WalkerSet(
        ids=people + 1, train=people, val=0, views=(0, 90), frames=case.speed.frames, seqs={"nm": max(each, 2)}, seed=0
    )
    write_walkers(options, root)
    places = {
        "data_cfg.dataset_name": "Walkers",
        "data_cfg.dataset_root": root,
        "data_cfg.dataset_partition": root / "partition.json",
        "model_cfg.SeparateBNNecks.class_num": people,
        "trainer_cfg.sampler.batch_size": [people, each],
        "trainer_cfg.sampler.frames_num_fixed": case.speed.frames,
        "trainer_cfg.total_iter": _ITERATIONS,
        "trainer_cfg.save_iter": _ITERATIONS,
        "trainer_cfg.log_iter": 1,
        "trainer_cfg.with_test": "false",
    }
    return load_config(case.configs[0], [*case.overrides, *(f"{key}={value}" for key, value in places.items())])


def draw_and_train(case: GpuCase) -> GpuFigures:
    """Walkers are drawn, and the first config is trained on them for a few iterations."""
    began = time.monotonic()
    config = _config(case)
    drawn = time.monotonic() - began
    trained = train(config, case.device, fresh=True, quiet=True, output=case.out / "runs")
    records = [record for record in trained.records if "scalars" in record]
    losses = [losses_in(record["scalars"])["loss"] for record in records]
    return {
        "walkers drawn": f"{drawn:.1f} s",
        "iteration, with data": f"{median(record['seconds_per_iteration'] for record in records):.3f} s",
        "loss, first and last": f"{losses[0]}, {losses[-1]}",
    }


def compare_networks(case: GpuCase) -> GpuFigures:
    """Training steps and batches of all networks in turns, float16 on CUDA."""
    models = BESIDE if case.opengait else None
    measured = (case.speed, case.rounds, "wall", case.device, case.out)
    bench_speed(case.configs, case.overrides, *measured, case.opengait, models)
    found = {}
    for one in read_json(case.out / "speed.json")["entrants"]:
        step, batch = (median(each["seconds"] for each in one["turns"][task]) for task in (TRAINING, BATCH))
        peak = max(each["peak_bytes"] for each in one["turns"][TRAINING]) / 2**30
        found[one["name"]] = f"step {step:.3f} s, {one['sequences'] / batch:.0f} sequences/s, peak {peak:.2f} GiB"
    return found


def train_in_every_way(case: GpuCase) -> GpuFigures:
    """Training steps of the first config in every precision, with channels as they lie and with channels last."""
    device, config = pick_device(case.device), load_config(case.configs[0], case.overrides)
    found = {}
    for name, dtype in _precisions(device).items():
        for way in ("as trained", "channels last"):
            try:
                training = SteppedTraining(config, case.speed, device, None if dtype is torch.float32 else dtype)
                if way == "channels last":
                    build.lay_channels_last(training.net)
                losses, seconds = zip(*(_timed(training.step, device) for _ in range(case.rounds + 2)), strict=True)
                found[f"{name}, {way}"] = f"{median(seconds[2:]):.3f} s, loss {losses[0]:.4f} to {losses[-1]:.4f}"
            except Exception as error:
                traceback.print_exc()
                found[f"{name}, {way}"] = first_line(error)
    return found


def _precisions(device: torch.device) -> dict[str, torch.dtype]:
    """Those that the device computes in."""
    return {name: dtype for name, dtype in PRECISIONS.items() if dtype is not torch.float16 or device.type == "cuda"}


def _timed(function: Callable[[], torch.Tensor], device: torch.device) -> tuple[torch.Tensor, float]:
    """What a function gives, and the seconds until all of it is there."""
    began = time.perf_counter()
    found = function()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return found, time.perf_counter() - began


def recognise_in_every_way(case: GpuCase) -> GpuFigures:
    """The first config's embeddings in every way, against those of the CPU in float32."""
    torch.manual_seed(0)
    device = pick_device(case.device)
    net = build.build_network(load_config(case.configs[0], case.overrides), None).eval()
    sils = case.speed.silhouettes()[..., 10:-10] / 255
    with torch.inference_mode():
        truth = net(sils).embeddings
    net, sils = net.to(device), sils.to(device)
    found = {}
    for name, dtype in _precisions(device).items():
        folded, compiled = Recognition(net, dtype), Recognition(net, dtype)
        # Off a GPU only the tracing is tried: to compile for a CPU takes longer than all the rest.
        backend = "inductor" if device.type == "cuda" else "eager"
        compiled.net = torch.compile(compiled.net, backend=backend)  # type: ignore[assignment]

        def plain(sils: torch.Tensor, dtype: torch.dtype = dtype) -> object:
            with torch.autocast(device.type, dtype, enabled=dtype is not torch.float32):
                return net(sils)

        ways: dict[str, Callable] = {"as trained": plain, "folded, channels last": folded, "compiled as well": compiled}
        for way, recognise in ways.items():
            try:
                found[f"{name}, {way}"] = _measure(recognise, sils, truth, case.rounds)
            except Exception as error:
                traceback.print_exc()
                found[f"{name}, {way}"] = first_line(error)
    return found


def _measure(recognise: Callable, sils: torch.Tensor, truth: torch.Tensor, rounds: int) -> str:
    """Sequences a second, and how alike the embeddings are to ``truth``: the least cosine."""
    with torch.inference_mode():
        turns = [_timed(lambda: recognise(sils).embeddings, sils.device) for _ in range(rounds + 2)]  # two to warm up
    embeddings, seconds = zip(*turns, strict=True)
    alike = F.cosine_similarity(embeddings[-1].float().cpu().flatten(1), truth.flatten(1)).min()
    return f"{len(sils) / median(seconds[2:]):.0f} sequences/s, cosine {alike:.6f}"


def train_inside_opengait(case: GpuCase) -> GpuFigures:
    """The literal command in a copy of the checkout that this package is attached to: NCCL with one process."""
    if case.opengait is None:
        raise UserError("no --opengait ROOT")
    if pick_device(case.device).type != "cuda":
        raise UserError("OpenGait's trainer needs CUDA")
    root = case.out / "OpenGait"
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(case.opengait, root, ignore=shutil.ignore_patterns(".git", "output"))
    package = str(Path(opengait_meshgait.__file__).parents[1])
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path}
    cfgs = resolve_paths(spelled_out(_config(case)), Path.cwd())
    seconds = {}
    for what, command in {
        "attach": ["-m", "opengait_meshgait", "attach", str(root.absolute())],
        f"main.py, {_ITERATIONS} iterations": ["opengait/main.py", "--cfgs", "configs/gpu.yaml", "--phase", "train"],
    }.items():
        (root / "configs/gpu.yaml").write_text(yaml.safe_dump(cfgs), encoding="utf-8")
        began = time.monotonic()
        done = subprocess.run([sys.executable, *command], cwd=root, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise UserError(f"{what}: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
        seconds[what] = f"{time.monotonic() - began:.0f} s"
    return seconds
