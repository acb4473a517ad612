"""``meshgait bench accuracy``: train and test configs with several seeds, and compare them."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from opengait_meshgait.benchmark.accuracy_figure import accuracy_figure
from opengait_meshgait.benchmark.accuracy_plan import FRAMES, NOTHING, First, Planned, plan
from opengait_meshgait.benchmark.accuracy_tables import (
    MEASURES,
    Contestant,
    accuracy_table,
    difference_table,
    differences,
    notes,
    view_table,
)
from opengait_meshgait.benchmark.side_by_side import Training, run_trainings
from opengait_meshgait.common import provenance
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.files import atomic_path, read_json, write_json
from opengait_meshgait.common.tables import markdown
from opengait_meshgait.engine.checkpoint import Checkpoints, run_folder
from opengait_meshgait.engine.progress import say
from opengait_meshgait.engine.schema import Config
from opengait_meshgait.engine.testing import test
from opengait_meshgait.engine.training import train


def bench_accuracy(
    configs: Sequence[str],
    overrides: Sequence[str],
    seeds: Sequence[int],
    split: str,
    device: str,
    out: Path,
    on: Path | None = None,
    match: str | None = None,
    first: First = NOTHING,
    jobs: int = 1,
) -> str:
    """Train and test what is not finished, and write ``results.json`` and ``rank1.png`` after every run.

    Args:
        configs: YAML files.
        overrides: ``--set``, for all of them.
        seeds: of the trainings.
        split: ``test`` or ``val``.
        device: as for ``--device``.
        out: folder of the files and of all runs.
        on: folder of other data to test on, with its ``partition.json``.
        match: ``embeddings``, ``lda``, or None for ``lda`` where a config has an LDA head.
        first: what is trained before.
        jobs: trainings at a time.

    Returns:
        Tables and notes, in Markdown.

    Raises:
        UserError: something keeps the configs from being compared, see :func:`plan`; or there are several processes.
    """
    require_one_process()
    planned, runs = plan(configs, overrides, split, on, match, first), out / "runs"
    about = {"split": split, "on": None if on is None else str(on), "seeds": [*seeds], **first.describe()}
    waiting = []
    for seed in seeds:
        for one in planned:
            record = one.record(seed, split, runs)
            if record.is_file():
                one.runs[seed] = read_json(record)
            else:
                waiting.append((seed, one))
    finished = len(seeds) * len(planned) - len(waiting)
    if finished:
        say(f"{finished} of {finished + len(waiting)} runs are finished already.")
        _write(out, planned, about, device)
    trainings = [
        Training(
            name=f"{one.name}, seed {seed}",
            function=train_and_test,
            arguments=(one, seed, split, device, runs),
            folders=one.folders(seed, runs),
            log=one.log(seed, out),
            reads=one.reads(seed, runs),
        )
        for seed, one in waiting
    ]
    before = first_trainings([one for _, one in waiting], device, runs, out)
    for number, found in run_trainings(trainings, jobs, before):
        seed, one = waiting[number]
        one.runs[seed] = found
        _write(out, planned, about, device)
    return "\n\n".join(_markdown(planned))


def first_trainings(planned: Sequence[Planned], device: str, output: Path, out: Path, of: str = "") -> list[Training]:
    """What has to be trained once before configs of one plan are: nothing, or one training.

    Args:
        planned: the configs.
        device: as for ``--device``.
        output: folder of all runs.
        out: folder of the logs.
        of: what stands before the name.
    """
    for one in planned:
        if one.first is not None and one.first_seed is not None:
            config = one.first.run(one.first_seed)
            return [
                Training(
                    name=f"{of}{one.first.name}, seed {one.first_seed}",
                    function=_train_first,
                    arguments=(config, device, output),
                    folders=one.first.folders(one.first_seed, output),
                    log=one.first.log(one.first_seed, out),
                )
            ]
    return []


def _train_first(config: Config, device: str, output: Path) -> Mapping[str, Any]:
    return {"iterations": train(config, device, output=output).iteration}


def require_one_process() -> None:
    """Refuse torchrun.

    Raises:
        UserError: there are several processes.
    """
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        raise UserError("meshgait bench runs in one process. Start it without torchrun.")


def describe_differences(
    found: Mapping[tuple[str, str], Mapping[str, Any]], measure: str = MEASURES[0]
) -> list[dict[str, Any]]:
    """:func:`differences` for a JSON file."""
    return [
        {"measure": measure, "name": name, "reference": reference, "condition": condition}
        | {**asdict(each), "verdict": each.verdict}
        for (name, reference), by_condition in found.items()
        for condition, each in by_condition.items()
    ]


def train_and_test(one: Planned, seed: int, split: str, device: str, output: Path) -> Mapping[str, Any]:
    """Train a config with one seed, or go on, and test it; the record that :meth:`Planned.record` names is written.

    Args:
        one: the config.
        seed: of the training.
        split: ``test`` or ``val``.
        device: as for ``--device``.
        output: folder of all runs.
    """
    config, began = one.run(seed), time.monotonic()
    notes = []
    if one.first is not None and (first := one.run_first(seed)):
        iterations, once = first.trainer_cfg.total_iter, f", which was trained once, with seed {one.first_seed}"
        if one.first_seed is None:
            say(f"first {one.first.name}")
            iterations, once = train(first, device, output=output).iteration, ""
        checkpoint = Checkpoints(run_folder(first, output, training=True)).path(iterations)
        config = one.beginning_with(checkpoint, seed)
        notes = [f"{one.name} began with the weights of {one.first.name} after {iterations} iterations{once}."]
    trained = train(config, device, output=output)
    tested = test(one.test(seed), "last", device, output=output, split=split, match=one.matched)
    groups, sequences = config.trainer_cfg.sampler.batch_size
    found = {
        "seed": seed,
        **tested,
        "notes": [*tested["notes"], *notes],
        "iterations": trained.iteration,
        "sequences_per_iteration": groups * sequences,
        "seconds_per_iteration": round(trained.seconds_per_iteration, 6),
        "seconds_of_this_sitting": round(time.monotonic() - began, 1),
        "versions": provenance.versions(),
        "commit": provenance.commit(),
        "machine": provenance.machine(device),
    }
    write_json(one.record(seed, split, output), found)
    return found


def comparison_tables(contestants: Sequence[Contestant]) -> list[str]:
    """Tables in Markdown: figures, Rank-1 by view, differences of Rank-1 and mAP."""
    tables = [accuracy_table(contestants), view_table(contestants)]
    for measure in MEASURES:
        if found := differences(contestants, measure):
            tables.append(difference_table(found, measure))
    return [markdown(table) for table in tables if table]


def all_differences(contestants: Sequence[Contestant]) -> list[dict[str, Any]]:
    """:func:`differences` by all measures, for a JSON file."""
    return [each for measure in MEASURES for each in describe_differences(differences(contestants, measure), measure)]


def write_figure(contestants: Sequence[Contestant], path: Path) -> None:
    """Write :func:`accuracy_figure` as a PNG."""
    with atomic_path(path) as temporary:
        accuracy_figure(contestants).savefig(temporary, format="png", dpi=150)


def _markdown(contestants: Sequence[Contestant]) -> list[str]:
    """Tables and notes."""
    return [*comparison_tables(contestants), *notes(contestants, FRAMES)]


def _write(out: Path, planned: Sequence[Planned], about: Mapping[str, Any], device: str) -> None:
    """``results.json`` and ``rank1.png`` of all runs so far."""
    content = {
        "schema": 1,
        **about,
        **provenance.origin(device),
        "configs": [
            {
                "name": one.name,
                "file": one.source,
                "hash": one.training,
                "testing_hash": one.testing,
                "matched": one.matched,
                "parameters": one.parameters,
                "gflops": round(one.gflops, 3),
                "frames": FRAMES,
                "config": one.config.model_dump(),
                "runs": [one.runs[seed] for seed in about["seeds"] if seed in one.runs],
            }
            for one in planned
        ],
        "differences": all_differences(planned),
        "markdown": _markdown(planned),
    }
    write_json(out / "results.json", content)
    write_figure(planned, out / "rank1.png")
