"""``meshgait demo``: make walkers, train Mesh-Gait and its silhouette-only baseline alike, write a report."""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from opengait_meshgait.common.provenance import versions

OURS, BASELINE = "Mesh-Gait", "silhouette-only"
WALKERS = {"ids": 76, "train": 48, "val": 4, "views": (0, 36, 72, 108, 144, 180), "frames": 24}
SEQUENCES = {"nm": 2, "bg": 1, "cl": 1}


def parser(prog: str) -> argparse.ArgumentParser:
    """Arguments of the command."""
    result = argparse.ArgumentParser(prog=prog, description=__doc__.splitlines()[0])
    result.add_argument("--out", type=Path, default=Path("output/demo"), help="folder for all files (%(default)s)")
    result.add_argument("--seed", type=int, default=0, help="of the walkers and of both trainings (%(default)s)")
    result.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="change keys of the demo's config"
    )
    return result


def run(arguments: argparse.Namespace) -> int:
    """Run every step; one that an interrupted demo finished is not done again."""
    from opengait_meshgait.benchmark.demo_report import write_report
    from opengait_meshgait.benchmark.demo_results import markdown, results_json, table, verdict
    from opengait_meshgait.common.files import write_json
    from opengait_meshgait.engine.testing import test
    from opengait_meshgait.engine.training import train
    from opengait_meshgait.walkers import WalkerSet, write_walkers

    out, clock = arguments.out, Clock()
    with clock("walkers"):
        walkers = write_walkers(WalkerSet(seqs=SEQUENCES, seed=arguments.seed, **WALKERS), out / "walkers")

    ours = _config(out, arguments.seed, arguments.set)
    configs = {BASELINE: silhouette_only(ours), OURS: ours}
    trained, tested = {}, {}
    for name, config in configs.items():
        with clock(f"train {name}"):
            trained[name] = train(config, output=out / "runs")
        with clock(f"test {name}"):
            tested[name] = test(config, "last", output=out / "runs")

    runs = [_result(name, configs[name], trained[name], tested[name]) for name in configs]
    people = WALKERS["ids"] - WALKERS["train"] - WALKERS["val"]
    conclusion = verdict(*runs, people=people)
    context = {
        "command": f"meshgait demo --out {out} --seed {arguments.seed}",
        "seed": arguments.seed,
        "versions": versions(),
        "machine": _machine(),
        "data": walkers["options"],
    }
    with clock("report"):
        write_report(out / "report.html", runs, conclusion, context, ours, trained, tested)
    write_json(out / "results.json", results_json(runs, conclusion, {**context, "seconds": clock.seconds}))
    print(f"\n{markdown(table(runs))}\n\n{conclusion}\n\nReport: {out / 'report.html'}")
    return 0


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
        print(f"== {step}", file=sys.stderr, flush=True)
        yield
        self.seconds[step] = round(time.monotonic() - began, 1)


def silhouette_only(config: Any) -> Any:
    """The baseline of a config: no heatmap branch and no body losses; data, schedule and budget stay."""
    from opengait_meshgait.losses import BODY_TERMS

    losses = [loss for loss in config.loss_cfg if loss["log_prefix"] not in BODY_TERMS]
    return config.model_copy(
        update={
            "loss_cfg": losses,
            "model_cfg": config.model_cfg.model_copy(update={"heatmap_cfg": None}),
            "trainer_cfg": config.trainer_cfg.model_copy(update={"save_name": BASELINE}),
            "evaluator_cfg": config.evaluator_cfg.model_copy(update={"save_name": BASELINE}),
        }
    )


def _config(out: Path, seed: int, overrides: Sequence[str]) -> Any:
    from opengait_meshgait.engine.config import load_config

    places = {
        "data_cfg.dataset_root": str(out / "walkers"),
        "data_cfg.dataset_partition": str(out / "walkers" / "partition.json"),
        "trainer_cfg.seed": seed,
    }
    return load_config("demo", [*(f"{key}={json.dumps(value)}" for key, value in places.items()), *overrides])


def _result(name: str, config: Any, trained: Any, tested: dict) -> Any:
    from opengait_meshgait.benchmark.demo_results import RunResult
    from opengait_meshgait.engine.build import build_network
    from opengait_meshgait.networks.complexity import count_flops

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
    import torch

    return {"system": platform.system(), "cores": os.cpu_count(), "torch_threads": torch.get_num_threads()}
