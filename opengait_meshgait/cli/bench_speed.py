"""``meshgait bench speed``: what networks cost, measured in turns."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opengait_meshgait.cli.arguments import CLOCKS, add_clock, add_device, positive, say
from opengait_meshgait.common import provenance

if TYPE_CHECKING:
    import torch

    from opengait_meshgait.benchmark.interleaved import Entrant, Measured
    from opengait_meshgait.benchmark.workload import Load

DESCRIPTION = (
    "Parameters, operations, time and memory of the networks of configs and of OpenGait's own models, without data. "
    "Each has a process of its own, and they work in turns, so that a slow minute of the machine meets all alike; "
    "figures are medians over rounds, × is the median over rounds of the time divided by that of the first row."
)
SCHEMA = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument(
        "--cfgs", required=True, nargs="+", metavar="FILE", help="YAML files; all are compared with the first"
    )
    parser.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="change keys of all files"
    )
    parser.add_argument("--opengait", type=Path, metavar="ROOT", help="time the models of this checkout as well")
    parser.add_argument("--models", nargs="+", metavar="NAME", help="of OpenGait's models only these")
    parser.add_argument("--frames", type=positive(1), default=30, help="of a sequence (default: %(default)s)")
    parser.add_argument(
        "--batch",
        type=positive(2),
        nargs=2,
        default=[2, 2],
        metavar=("P", "K"),
        help="people, and sequences of each, in a training step (default: 2 2)",
    )
    parser.add_argument("--half", action="store_true", help="float16 on a GPU")
    parser.add_argument("--rounds", type=positive(1), default=5, help="of measurements (default: %(default)s)")
    add_clock(parser)
    parser.add_argument(
        "--out", type=Path, default=Path("output/bench"), metavar="DIR", help="for speed.json, speed.md (%(default)s)"
    )
    add_device(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure, print the table, write it and all measurements."""
    from opengait_meshgait.benchmark.demo_results import markdown
    from opengait_meshgait.benchmark.interleaved import measure_in_turns
    from opengait_meshgait.benchmark.workload import Load
    from opengait_meshgait.common.device import pick_device
    from opengait_meshgait.common.errors import UserError
    from opengait_meshgait.common.files import atomic_path, write_json

    device, load = pick_device(arguments.device), Load(*arguments.batch, arguments.frames, arguments.half)
    if arguments.clock == "processor" and device.type == "cuda":
        raise UserError("--clock processor would leave out what the GPU does: take the clock on the wall, or a CPU.")
    entrants = _ours(arguments, load, device)
    context: dict[str, Any] = {}
    if arguments.opengait:
        entrants += _theirs(arguments, load, device, context)
    elif arguments.models:
        raise UserError("--models names OpenGait's models: add --opengait ROOT, the checkout they are in.")
    before = os.getloadavg()[0]
    measured = measure_in_turns(entrants, arguments.rounds, say=say)
    lines = [
        markdown(table(measured, arguments.clock)),
        f"{arguments.frames} frames a sequence, {load.people}×{load.each} sequences a batch, medians of "
        f"{arguments.rounds} rounds, {arguments.clock} clock; {provenance.machine(arguments.device)}; "
        f"load {before:.1f} to {os.getloadavg()[0]:.1f}.",
    ]
    text = "\n\n".join(lines)
    content = {
        "schema": SCHEMA,
        **provenance.origin(arguments.device),
        "load": [before, os.getloadavg()[0]],
        **context,
        **asdict(load),
        "entrants": [_record(one) for one in measured],
    }
    write_json(arguments.out / "speed.json", content)
    with atomic_path(arguments.out / "speed.md") as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    print(text)
    return 0


def table(measured: Sequence["Measured"], clock: str) -> list[list[str]]:
    """Rows of cells, the first row the header.

    Args:
        measured: all that took part; the first is what the others are compared with.
        clock: ``wall`` or ``processor``.
    """
    from opengait_meshgait.benchmark.workload import BATCH, SEQUENCE, TRAINING

    figure = CLOCKS[clock]
    header = ["", "parameters", "GFLOPs", "ms / sequence", "×", "sequences / s", "s / training step", "×", "peak GiB"]
    rows = [header]
    for one in measured:
        rows.append(
            [
                one.name,
                f"{one.facts['parameters'] / 1e6:.2f} M",
                f"{one.facts['gflops']:.1f}",
                f"{1000 * one.median(SEQUENCE, figure):.0f}",
                f"{one.ratio(measured[0], SEQUENCE, figure):.2f}",
                f"{one.facts['sequences'] / one.median(BATCH, figure):.1f}",
                f"{one.median(TRAINING, figure):.2f}",
                f"{one.ratio(measured[0], TRAINING, figure):.2f}",
                f"{max(turn.peak_bytes for turn in one.turns[TRAINING]) / 2**30:.2f}",
            ]
        )
    return rows


def _ours(arguments: argparse.Namespace, load: "Load", device: "torch.device") -> list["Entrant"]:
    from opengait_meshgait.benchmark.interleaved import Entrant
    from opengait_meshgait.benchmark.speed_trial import speed_trial
    from opengait_meshgait.engine.config import load_config

    for path in arguments.cfgs:
        load_config(path, arguments.set)  # mistakes are told before any process starts
    stems = [Path(path).stem for path in arguments.cfgs]
    names = stems if len({*stems}) == len(stems) else arguments.cfgs
    return [
        Entrant(name, speed_trial, (path, arguments.set, load, device)) for name, path in zip(names, arguments.cfgs)
    ]


def _theirs(
    arguments: argparse.Namespace, load: "Load", device: "torch.device", context: dict[str, Any]
) -> list["Entrant"]:
    """OpenGait's models; ``context`` is told which OpenGait it is."""
    from opengait_meshgait.benchmark.interleaved import Entrant
    from opengait_meshgait.benchmark.opengait_trials import MODELS, speed_trial
    from opengait_meshgait.common.errors import UserError, did_you_mean
    from opengait_meshgait.opengait.checkout import Checkout

    checkout = Checkout(arguments.opengait)
    checkout.require_packages()
    context["opengait"] = checkout.commit
    chosen = arguments.models or [*MODELS]
    for name in chosen:
        if name not in MODELS:
            raise UserError(f"--models {name}: there is no such model to time. {did_you_mean(name, MODELS)}")
    return [Entrant(f"OpenGait {name}", speed_trial, (checkout.root, name, load, device)) for name in chosen]


def _record(one: "Measured") -> dict[str, Any]:
    turns = {task: [asdict(turn) for turn in turns] for task, turns in one.turns.items()}
    return {"name": one.name, **one.facts, "turns": turns}
