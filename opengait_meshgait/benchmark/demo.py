"""``meshgait demo``: make walkers, train Mesh-Gait and its silhouette-only baseline alike, write a report."""

import json
import os
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from opengait_meshgait.benchmark.accuracy import describe_differences
from opengait_meshgait.benchmark.accuracy_tables import Contestant, accuracy_table, differences, row_name
from opengait_meshgait.benchmark.demo_report import write_report
from opengait_meshgait.common.files import write_json
from opengait_meshgait.common.provenance import versions
from opengait_meshgait.common.tables import markdown
from opengait_meshgait.engine.build import build_network
from opengait_meshgait.engine.config import load_config
from opengait_meshgait.engine.progress import say
from opengait_meshgait.engine.schema import Config
from opengait_meshgait.engine.testing import test
from opengait_meshgait.engine.training import TrainResult, train
from opengait_meshgait.evaluation.comparison import MEAN, Difference
from opengait_meshgait.networks.build import count_flops
from opengait_meshgait.walkers import WalkerSet, write_walkers

OURS, BASELINE = "Mesh-Gait", "silhouettes"
CONFIGS = {BASELINE: "demo_silhouette", OURS: "demo"}
_FRAMES = 24
WALKERS: dict[str, Any] = {
    "ids": 76, "train": 48, "val": 4, "views": (0, 36, 72, 108, 144, 180), "frames": _FRAMES,
    "seqs": {"nm": 2, "bg": 1, "cl": 1}, "gait": "cmu",
}  # fmt: skip
REPEATABLE = (
    "The same machine, versions and number of threads give the same figures again. Another processor rounds "
    "differently, and figures differ by points."
)
# The baseline has no such keys.
_HEATMAPS = ("model_cfg.heatmap_cfg", "model_cfg.HeatmapFeatures")


def run_demo(out: Path, seed: int, overrides: Sequence[str]) -> str:
    """Run every step; one that an interrupted demo finished is not done again.

    Args:
        out: folder for all files.
        seed: of the walkers and of both trainings.
        overrides: ``--set``, for both configs.

    Returns:
        The table and the verdict, in Markdown.
    """
    clock = Clock()
    with clock("walkers"):
        walkers = write_walkers(WalkerSet(seed=seed, **WALKERS), out / "walkers")
    configs = {
        BASELINE: _config(BASELINE, out, seed, [key for key in overrides if not key.startswith(_HEATMAPS)]),
        OURS: _config(OURS, out, seed, overrides),
    }
    trained = {}
    for name, config in configs.items():
        with clock(f"train {name}"):
            trained[name] = train(config, output=out / "runs")
    rows: list[Contestant] = []
    found: dict[tuple[str, str], Mapping[str, Difference]] = {}
    for head in ("embeddings", "lda"):
        pair = []
        for name, config in configs.items():
            with clock(f"test {row_name(name, head)}"):
                tested = test(config, "last", output=out / "runs", match=head)
            pair.append(_row(name, config, trained[name], tested, seed))
        rows += pair
        found |= differences(pair)

    conclusion = verdict(found)
    context = {
        "command": f"meshgait demo --out {out} --seed {seed}",
        "seed": seed,
        "versions": versions(),
        "machine": {"system": platform.system(), "cores": os.cpu_count(), "torch_threads": torch.get_num_threads()},
        "data": walkers["options"],
    }
    table = accuracy_table(rows, brief=True)
    with clock("report"):
        own = configs[OURS], trained, {row.name: row.runs[seed] for row in rows[:2]}
        write_report(out / "report.html", table, f"{conclusion} {REPEATABLE}", context, *own)
    content = {
        "schema": 2,
        "verdict": conclusion,
        **context,
        "seconds": clock.seconds,
        "runs": [_described(row, row.runs[seed]) for row in rows],
        "differences": describe_differences(found),
        "markdown": [markdown(table), conclusion, REPEATABLE],
    }
    write_json(out / "results.json", content)
    return f"{markdown(table)}\n\n{conclusion}\n\n{REPEATABLE}\n\nReport: {out / 'report.html'}"


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


def verdict(found: Mapping[tuple[str, str], Mapping[str, Difference]]) -> str:
    """Which row recognises better, and whether other people would say the same.

    Args:
        found: by the names of a row and of its reference, and by condition.
    """
    lines = []
    for (name, reference), by_condition in found.items():
        mean = by_condition[MEAN]
        interval = "no interval" if mean.low is None else f"95 % interval {mean.low:+.1f} … {mean.high:+.1f}"
        lines.append(f"{name} against {reference}: {mean.difference:+.1f} points ({interval}), {mean.verdict}.")
    return f"Mean Rank-1. {' '.join(lines)} The intervals cover other test people, not other seeds: there is one seed."


def _config(name: str, out: Path, seed: int, overrides: Sequence[str]) -> Config:
    places = {
        "data_cfg.dataset_root": str(out / "walkers"),
        "data_cfg.dataset_partition": str(out / "walkers" / "partition.json"),
        "trainer_cfg.seed": seed,
    }
    return load_config(CONFIGS[name], [*(f"{key}={json.dumps(value)}" for key, value in places.items()), *overrides])


def _row(name: str, config: Config, trained: TrainResult, tested: Mapping[str, Any], seed: int) -> Contestant:
    parameters, gflops = count_flops(build_network(config, None), _FRAMES)
    errors = [record["bodies"]["marker_mm"] for record in trained.evaluations if record["bodies"]]
    run = {
        **tested,
        "iterations": trained.iteration,
        "seconds_per_iteration": round(trained.seconds_per_iteration, 4),
        "marker_error_mm": {"first": errors[0], "last": errors[-1]} if errors else None,
    }
    return Contestant(row_name(name, tested["matched"]), parameters, gflops, {seed: run})


def _described(row: Contestant, run: Mapping[str, Any]) -> dict[str, Any]:
    """A row for ``results.json``."""
    bodies, copied = run["bodies"] or {}, ("matched", "iterations", "seconds_per_iteration", "marker_error_mm")
    copied += ("views", "tables", "cmc")
    return {
        "name": row.name,
        "parameters": row.parameters,
        "gflops": round(row.gflops, 3),
        "frames": _FRAMES,
        "rank1": {key.removesuffix("@R1"): value for key, value in run["metrics"].items() if key.endswith("@R1")},
        "mpjpe_mm": bodies.get("mpjpe_root_mm"),
        "mpvpe_mm": bodies.get("mpvpe_root_mm"),
        **{key: run[key] for key in copied},
    }
