"""``meshgait demo``: make walkers, train Mesh-Gait and its silhouette-only baseline alike, write a report."""

import json
import os
import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from opengait_meshgait.benchmark.demo_report import write_report
from opengait_meshgait.benchmark.demo_results import RunResult, demo_table, results_json, verdict
from opengait_meshgait.common.files import write_json
from opengait_meshgait.common.provenance import versions
from opengait_meshgait.common.tables import markdown
from opengait_meshgait.engine.build import build_network
from opengait_meshgait.engine.config import load_config
from opengait_meshgait.engine.progress import say
from opengait_meshgait.engine.schema import Config
from opengait_meshgait.engine.testing import test
from opengait_meshgait.engine.training import TrainResult, train
from opengait_meshgait.losses import BODY_TERMS
from opengait_meshgait.networks.complexity import count_flops
from opengait_meshgait.walkers import WalkerSet, write_walkers

OURS, BASELINE = "Mesh-Gait", "silhouette-only"
WALKERS: dict[str, Any] = {"ids": 76, "train": 48, "val": 4, "views": (0, 36, 72, 108, 144, 180), "frames": 24}
SEQUENCES = {"nm": 2, "bg": 1, "cl": 1}


def run_demo(out: Path, seed: int, overrides: Sequence[str]) -> str:
    """Run every step; one that an interrupted demo finished is not done again.

    Args:
        out: folder for all files.
        seed: of the walkers and of both trainings.
        overrides: ``--set``, for the demo's config.

    Returns:
        The table and the verdict, in Markdown.
    """
    clock = Clock()
    with clock("walkers"):
        walkers = write_walkers(WalkerSet(seqs=SEQUENCES, seed=seed, **WALKERS), out / "walkers")

    ours = _config(out, seed, overrides)
    configs = {BASELINE: silhouette_only(ours), OURS: ours}
    trained, tested = {}, {}
    for name, config in configs.items():
        with clock(f"train {name}"):
            trained[name] = train(config, output=out / "runs")
        with clock(f"test {name}"):
            tested[name] = test(config, "last", output=out / "runs")

    runs = [_result(name, configs[name], trained[name], tested[name]) for name in configs]
    people = WALKERS["ids"] - WALKERS["train"] - WALKERS["val"]
    baseline, ours_run = runs
    conclusion = verdict(baseline, ours_run, people=people)
    context = {
        "command": f"meshgait demo --out {out} --seed {seed}",
        "seed": seed,
        "versions": versions(),
        "machine": _machine(),
        "data": walkers["options"],
    }
    with clock("report"):
        write_report(out / "report.html", runs, conclusion, context, ours, trained, tested)
    write_json(out / "results.json", results_json(runs, conclusion, {**context, "seconds": clock.seconds}))
    return f"{markdown(demo_table(runs))}\n\n{conclusion}\n\nReport: {out / 'report.html'}"


class Clock:
    """Says what is being done, and remembers how long it took.

    Attributes:
        seconds: wall-clock time by step.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        began = time.monotonic()
        say(f"== {step}")
        yield
        self.seconds[step] = round(time.monotonic() - began, 1)


def silhouette_only(config: Config) -> Config:
    """The baseline of a config: no heatmap branch and no body losses; data, schedule and budget stay."""
    losses = [loss for loss in config.loss_cfg if loss["log_prefix"] not in BODY_TERMS]
    return config.model_copy(
        update={
            "loss_cfg": losses,
            "model_cfg": config.model_cfg.model_copy(update={"heatmap_cfg": None}),
            "trainer_cfg": config.trainer_cfg.model_copy(update={"save_name": BASELINE}),
            "evaluator_cfg": config.evaluator_cfg.model_copy(update={"save_name": BASELINE}),
        }
    )


def _config(out: Path, seed: int, overrides: Sequence[str]) -> Config:
    places = {
        "data_cfg.dataset_root": str(out / "walkers"),
        "data_cfg.dataset_partition": str(out / "walkers" / "partition.json"),
        "trainer_cfg.seed": seed,
    }
    return load_config("demo", [*(f"{key}={json.dumps(value)}" for key, value in places.items()), *overrides])


def _result(name: str, config: Config, trained: TrainResult, tested: dict) -> RunResult:
    parameters, gflops = count_flops(build_network(config, None), WALKERS["frames"])
    bodies = tested["bodies"] or {}
    errors = [record["bodies"]["marker_mm"] for record in trained.evaluations if record["bodies"]]
    return RunResult(
        name=name,
        parameters=parameters,
        gflops=round(gflops, 3),
        frames=WALKERS["frames"],
        iterations=trained.iteration,
        seconds_per_iteration=round(trained.seconds_per_iteration, 4),
        rank1={key.removesuffix("@R1"): value for key, value in tested["metrics"].items() if key.endswith("@R1")},
        mpjpe_mm=bodies.get("mpjpe_root_mm"),
        mpvpe_mm=bodies.get("mpvpe_root_mm"),
        marker_error_mm={"first": errors[0], "last": errors[-1]} if errors else None,
    )


def _machine() -> dict[str, Any]:
    return {"system": platform.system(), "cores": os.cpu_count(), "torch_threads": torch.get_num_threads()}
