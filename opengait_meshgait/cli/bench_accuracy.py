"""``meshgait bench accuracy``: train and test configs with several seeds, and compare them."""

import argparse
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from opengait_meshgait.cli.arguments import add_device, add_set
from opengait_meshgait.common import provenance

DESCRIPTION = (
    "Train each config with each seed, test it, and print Markdown tables: means and standard deviations over seeds, "
    "Rank-1 by difference of views, and the difference of each config from its silhouette-only baseline, or else from "
    "the first config, with a 95 % confidence interval over people and seeds. Run the same command again after a stop: "
    "finished runs are read, a run in the middle goes on from its checkpoint, a changed config is trained anew beside "
    "the old one."
)
SCHEMA = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument(
        "--cfgs",
        required=True,
        nargs="+",
        metavar="FILE",
        help="YAML files; each is compared with its silhouette-only baseline if that is among them, or the first",
    )
    parser.add_argument(
        "--seeds", required=True, type=_seeds, metavar="0,1,2", help="of the trainings, the same for all configs"
    )
    add_set(parser, "change keys of all files: trainer_cfg.total_iter=100")
    parser.add_argument(
        "--split",
        choices=["test", "val"],
        default="test",
        help="people to test on: choose by val, report test (default: %(default)s)",
    )
    parser.add_argument(
        "--on",
        type=Path,
        metavar="DIR",
        help="test on the people in this folder, by its partition.json, rather than on those of the configs' own data: "
        "noisy silhouettes, recorded walks",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("output/bench"),
        metavar="DIR",
        help="folder for results.json, rank1.png and all runs, which several tables may share (default: %(default)s)",
    )
    add_device(parser)


def run(arguments: argparse.Namespace) -> int:
    """Train and test what is not finished, writing results after every run; then print the tables."""
    from opengait_meshgait.benchmark.accuracy_plan import plan
    from opengait_meshgait.benchmark.accuracy_tables import Contestant
    from opengait_meshgait.common.errors import UserError

    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        raise UserError("meshgait bench accuracy runs in one process. Start it without torchrun.")
    output = arguments.out / "runs"
    entries = plan(arguments.cfgs, arguments.set, arguments.split, arguments.on)
    contestants = [Contestant(entry.name, entry.parameters, entry.gflops, baseline=entry.baseline) for entry in entries]
    jobs = [(seed, *pair) for seed in arguments.seeds for pair in zip(entries, contestants)]
    waiting = []
    for seed, entry, contestant in jobs:
        found = _finished(entry.record(seed, arguments.split, output))
        if found is None:
            waiting.append((seed, entry, contestant))
        else:
            contestant.runs[seed] = found
    if len(waiting) < len(jobs):
        _say(f"{len(jobs) - len(waiting)} of {len(jobs)} runs are finished already.")
        _write(arguments, entries, contestants)
    for number, (seed, entry, contestant) in enumerate(waiting, start=1):
        _say(f"== {entry.name}, seed {seed} (run {number} of {len(waiting)})")
        contestant.runs[seed] = _train_and_test(entry, seed, arguments.split, arguments.device, output)
        _write(arguments, entries, contestants)
    print("\n\n".join(_tables(contestants)))
    return 0


def _finished(record: Path) -> Mapping[str, Any] | None:
    from opengait_meshgait.common.files import read_json

    return read_json(record) if record.is_file() else None


def _train_and_test(entry: Any, seed: int, split: str, device: str, output: Path) -> Mapping[str, Any]:
    from opengait_meshgait.common.files import write_json
    from opengait_meshgait.engine.testing import test
    from opengait_meshgait.engine.training import train

    config, began = entry.run(seed), time.monotonic()
    trained = train(config, device, output=output)
    tested = test(entry.test(seed), "last", device, output=output, split=split)
    groups, sequences = config.trainer_cfg.sampler.batch_size
    found = {
        "seed": seed,
        **tested,
        "iterations": trained.iteration,
        "sequences_per_iteration": groups * sequences,
        "seconds_per_iteration": round(trained.seconds_per_iteration, 6),
        "seconds_of_this_sitting": round(time.monotonic() - began, 1),
        "versions": provenance.versions(),
        "commit": provenance.commit(),
        "machine": provenance.machine(device),
    }
    write_json(entry.record(seed, split, output), found)
    return found


def _tables(contestants: Sequence[Any]) -> list[str]:
    """Tables and notes, in Markdown."""
    from opengait_meshgait.benchmark.accuracy_notes import notes
    from opengait_meshgait.benchmark.accuracy_plan import FRAMES
    from opengait_meshgait.benchmark.accuracy_tables import accuracy_table, difference_table, differences, view_table
    from opengait_meshgait.benchmark.demo_results import markdown

    tables = [accuracy_table(contestants), view_table(contestants)]
    if found := differences(contestants):
        tables.append(difference_table(found))
    return [*(markdown(table) for table in tables if table), *notes(contestants, FRAMES)]


def _write(arguments: argparse.Namespace, entries: Sequence[Any], contestants: Sequence[Any]) -> None:
    """``results.json`` and ``rank1.png`` of all runs so far."""
    from opengait_meshgait.benchmark.accuracy_figure import accuracy_figure
    from opengait_meshgait.benchmark.accuracy_plan import FRAMES
    from opengait_meshgait.benchmark.accuracy_tables import differences
    from opengait_meshgait.common.files import atomic_path, write_json

    found = [
        {"name": name, "reference": reference, "condition": condition, **asdict(each), "verdict": each.verdict}
        for (name, reference), by_condition in differences(contestants).items()
        for condition, each in by_condition.items()
    ]
    content = {
        "schema": SCHEMA,
        "split": arguments.split,
        "on": None if arguments.on is None else str(arguments.on),
        "seeds": arguments.seeds,
        **provenance.origin(arguments.device),
        "configs": [
            {
                "name": entry.name,
                "file": entry.source,
                "hash": entry.training,
                "testing_hash": entry.testing,
                "parameters": entry.parameters,
                "gflops": round(entry.gflops, 3),
                "frames": FRAMES,
                "config": entry.config.model_dump(),
                "runs": [contestant.runs[seed] for seed in arguments.seeds if seed in contestant.runs],
            }
            for entry, contestant in zip(entries, contestants)
        ],
        "differences": found,
        "markdown": _tables(contestants),
    }
    write_json(arguments.out / "results.json", content)
    with atomic_path(arguments.out / "rank1.png") as temporary:
        accuracy_figure(contestants).savefig(temporary, format="png", dpi=150)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _seeds(text: str) -> list[int]:
    parts = text.split(",")
    if not all(part.strip().isdecimal() for part in parts):
        raise argparse.ArgumentTypeError(f"found '{text}'; expected whole numbers from 0 with commas between, 0,1,2")
    seeds = [int(part) for part in parts]
    if len(set(seeds)) < len(seeds):
        raise argparse.ArgumentTypeError(f"found '{text}'; each seed once, the same seed gives the same run again")
    return seeds
