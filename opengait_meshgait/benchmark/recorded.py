"""``meshgait bench recorded``: configs compared on recorded people that nothing was learned from."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from opengait_meshgait.benchmark.accuracy import (
    all_differences,
    comparison_tables,
    first_trainings,
    require_one_process,
    train_and_test,
    write_figure,
)
from opengait_meshgait.benchmark.accuracy_plan import FRAMES, NOTHING, First, Planned, plan
from opengait_meshgait.benchmark.accuracy_tables import Contestant, notes
from opengait_meshgait.benchmark.pooled import body_view_table, fold_table, pool_runs
from opengait_meshgait.benchmark.recorded_data import TESTS, RecordedProtocol, most_people, write_recorded_data
from opengait_meshgait.benchmark.side_by_side import Training, run_trainings
from opengait_meshgait.common import provenance
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.files import atomic_path, read_json, write_json
from opengait_meshgait.common.jobs import open_output
from opengait_meshgait.common.tables import markdown
from opengait_meshgait.engine.config import load_config
from opengait_meshgait.engine.progress import say

Trials = Mapping[str, Mapping[str, Sequence[Planned]]]
"""By fold and by copy of the test people, the configs in their order."""
_PLACES = ("data_cfg.dataset_root", "data_cfg.dataset_partition", "model_cfg.SeparateBNNecks.class_num")


def bench_recorded(
    protocol: RecordedProtocol,
    configs: Sequence[str],
    overrides: Sequence[str],
    seeds: Sequence[int],
    split: str,
    device: str,
    out: Path,
    workers: int | None = None,
    match: str | None = None,
    first: First = NOTHING,
    jobs: int = 1,
) -> str:
    """Make the data, train and test what is not finished.

    ``results.json`` and ``results.md`` are written after every run, a picture for each copy of the test people in the
    end.

    Args:
        protocol: people and data.
        configs: YAML files.
        overrides: ``--set``, for all of them.
        seeds: of the trainings.
        split: ``test``, or ``val`` to test on the people to choose by alone.
        device: as for ``--device``.
        out: folder of everything.
        workers: processes that make the data, None for one a CPU core.
        match: ``embeddings``, ``lda``, or None for ``lda`` where a config has an LDA head.
        first: what is trained before.
        jobs: trainings at a time.

    Returns:
        Tables and notes, in Markdown.

    Raises:
        UserError: something keeps the configs from being compared; ``out`` holds the data of another protocol; or there
            are several processes.
    """
    require_one_process()
    _check_configs([*configs, *([first.source] if first.source else [])], overrides)
    record = {"schema": 1, "command": provenance.command(), **protocol.describe()}
    open_output(out, "folds.json", record, ("options", "world", "test_world", "recordings", "folds"), "folds")
    copies = TESTS if split == "test" else (split,)
    for fold in protocol.folds:
        say(f"{fold.name}: {len(fold.train)} people train, {len(fold.val)} validate, {len(fold.test)} are tested.")
    counts = len(protocol.folds), len(configs), len(seeds)
    say(
        f"{counts[0]} folds × {counts[1]} configs × {counts[2]} seeds = {math.prod(counts)} trainings, each tested on: "
        f"{', '.join(copies)}."
    )
    write_recorded_data(protocol, out, workers)
    trials = {
        fold.name: {
            copy: plan(
                configs,
                [*overrides, *_places(out / fold.name / "train", most_people(protocol))],
                split,
                out / fold.name / copy if split == "test" else None,
                match,
                first,
            )
            for copy in copies
        }
        for fold in protocol.folds
    }
    about = {"split": split, "seeds": [*seeds], **first.describe(), "folds": record["folds"]}
    waiting = _read_finished(trials, seeds, split, out)
    say(f"{len(waiting)} runs are to be trained or tested.")
    trainings = []
    for seed, name, place in waiting:
        tests = {copy: trials[name][copy][place] for copy in copies}
        one = tests[copies[0]]
        trainings.append(
            Training(
                name=f"{name}, {one.name}, seed {seed}",
                function=_train_and_test,
                arguments=(tests, seed, split, device, out / name / "runs"),
                folders=one.folders(seed, out / name / "runs"),
                log=one.log(seed, out / name),
                reads=one.reads(seed, out / name / "runs"),
            )
        )
    before = []
    for fold in dict.fromkeys(name for _, name, _ in waiting):
        ones = [trials[name][copies[0]][place] for _, name, place in waiting if name == fold]
        before += first_trainings(ones, device, out / fold / "runs", out / fold, f"{fold}, ")
    for number, found in run_trainings(trainings, jobs, before):
        seed, name, place = waiting[number]
        for copy, run in found.items():
            trials[name][copy][place].runs[seed] = run
        _write(out, trials, about, device)
    if not waiting:
        _write(out, trials, about, device)
    for copy in copies:
        write_figure(_pooled(trials, copy), out / f"rank1-{copy}.png")
    return "\n\n".join(_markdown(trials))


def _train_and_test(
    tests: Mapping[str, Planned], seed: int, split: str, device: str, output: Path
) -> Mapping[str, Mapping[str, Any]]:
    """Train one config, and test it on every copy of the test people that it was not tested on."""
    found = {}
    for copy, one in tests.items():
        say(f"{copy}:")
        found[copy] = one.runs[seed] if seed in one.runs else train_and_test(one, seed, split, device, output)
    return found


def _check_configs(configs: Sequence[str], overrides: Sequence[str]) -> None:
    """Find mistakes before any data are made."""
    for override in overrides:
        if override.startswith(_PLACES):
            raise UserError(f"--set {override}: meshgait bench recorded makes its data itself. Leave it out.")
    for path in configs:
        found = load_config(path, overrides).evaluator_cfg.eval_func
        if found != "evaluate_indoor_dataset":
            raise UserError(
                f"{path}: eval_func is {found}, and recorded people are tested across views. Take a config of walkers, "
                "or --set evaluator_cfg.eval_func=evaluate_indoor_dataset data_cfg.test_dataset_name=Walkers."
            )


def _places(root: Path, people: int) -> list[str]:
    """Overrides that train on the people in ``root``."""
    values = (str(root), str(root / "partition.json"), people)
    return [f"{key}={json.dumps(value)}" for key, value in zip(_PLACES, values, strict=True)]


def _read_finished(trials: Trials, seeds: Sequence[int], split: str, out: Path) -> list[tuple[int, str, int]]:
    """Read the records of finished runs; what is left to do is seed, fold and place of the config."""
    waiting = []
    for seed in seeds:
        for name, copies in trials.items():
            for place, tests in enumerate(zip(*copies.values())):
                for one in tests:
                    record = one.record(seed, split, out / name / "runs")
                    if record.is_file():
                        one.runs[seed] = read_json(record)
                if not all(seed in one.runs for one in tests):
                    waiting.append((seed, name, place))
    return waiting


def _pooled(trials: Trials, copy: str) -> list[Contestant]:
    """The configs with the runs of all folds as one, for those seeds whose folds are all finished."""
    found = []
    for ones in zip(*(copies[copy] for copies in trials.values())):
        seeds = [seed for seed in ones[0].runs if all(seed in one.runs for one in ones)]
        runs = {seed: pool_runs([one.runs[seed] for one in ones]) for seed in seeds}
        first = ones[0]
        found.append(Contestant(first.name, first.parameters, first.gflops, runs, first.baseline))
    return found


def _markdown(trials: Trials) -> list[str]:
    """Tables and notes."""
    lines: list[str] = []
    copies = next(iter(trials.values()))
    for copy in copies:
        contestants = _pooled(trials, copy)
        if not any(one.runs for one in contestants):
            continue
        by_fold = {name: tests[copy] for name, tests in trials.items()}
        tables = [body_view_table(contestants), fold_table(by_fold) if len(trials) > 1 else []]
        lines += [f"### {copy}", *comparison_tables(contestants)]
        lines += [markdown(table) for table in tables if table]
    if not lines:
        return ["No config is finished in all folds yet."]
    lines += notes(_pooled(trials, [*copies][0]), FRAMES)
    if len(trials) > 1:
        lines.append(
            f"Figures are pooled over {len(trials)} folds: each person is a probe in one of them, against the gallery "
            "of that fold; errors of bodies and IoUs are weighed by sequences."
        )
    return lines


def _write(out: Path, trials: Trials, about: Mapping[str, Any], device: str) -> None:
    """``results.json`` and ``results.md`` of all runs so far."""
    copies = [*next(iter(trials.values()))]
    pooled = {copy: _pooled(trials, copy) for copy in copies}
    configs = []
    for place, one in enumerate(next(iter(trials.values()))[copies[0]]):
        runs = {copy: {name: [*tests[copy][place].runs.values()] for name, tests in trials.items()} for copy in copies}
        configs.append(
            {
                "name": one.name,
                "file": one.source,
                "matched": one.matched,
                "parameters": one.parameters,
                "gflops": round(one.gflops, 3),
                "frames": FRAMES,
                "config": one.config.model_dump(),
                "runs": runs,
            }
        )
    lines = _markdown(trials)
    content = {
        "schema": 1,
        **about,
        **provenance.origin(device),
        "configs": configs,
        "differences": {copy: all_differences(contestants) for copy, contestants in pooled.items()},
        "markdown": lines,
    }
    write_json(out / "results.json", content)
    with atomic_path(out / "results.md") as temporary:
        temporary.write_text("\n\n".join(lines) + "\n", encoding="utf-8")
