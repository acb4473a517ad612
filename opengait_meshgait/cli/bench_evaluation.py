"""``meshgait bench evaluation``: the metrics on many random features, beside OpenGait's own."""

import argparse
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from opengait_meshgait.cli.arguments import CLOCKS, add_clock, add_device, positive, say
from opengait_meshgait.common import provenance

if TYPE_CHECKING:
    from opengait_meshgait.benchmark.interleaved import Measured

DESCRIPTION = (
    "Evaluate random features with planted identities by Gait3D's protocol and by OUMVLP's cross-view protocol, and "
    "with --opengait by OpenGait's own functions as well: whether the figures are the same, how long it takes, how "
    "much memory. Each has a process of its own, and they work in turns."
)
SCHEMA = 1
TOLERANCE = 1e-4
"""Points of percent by which figures may differ: float32 sums in another order swap sequences that are nearly tied."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--opengait", type=Path, metavar="ROOT", help="the checkout to compare with")
    parser.add_argument("--probes", type=positive(10), default=5000, help="default: %(default)s")
    parser.add_argument("--gallery", type=positive(10), default=20000, help="default: %(default)s")
    parser.add_argument(
        "--shape",
        type=positive(1),
        nargs=2,
        default=[256, 16],
        metavar=("C", "P"),
        help="channels and parts of an embedding (default: 256 16)",
    )
    parser.add_argument("--metric", choices=["euc", "cos"], default="euc", help="default: %(default)s")
    parser.add_argument("--rounds", type=positive(1), default=1, help="of measurements (default: %(default)s)")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("output/bench"),
        metavar="DIR",
        help="for evaluation.json, evaluation.md (%(default)s)",
    )
    add_clock(parser)
    add_device(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure, compare, print the table, write it and all measurements.

    Returns:
        1 where OpenGait's figures are others, else 0.
    """
    from opengait_meshgait.benchmark.demo_results import markdown
    from opengait_meshgait.benchmark.evaluation_trial import Case, evaluation_trial
    from opengait_meshgait.benchmark.interleaved import Entrant, measure_in_turns
    from opengait_meshgait.common.device import pick_device
    from opengait_meshgait.common.errors import UserError
    from opengait_meshgait.common.files import atomic_path, write_json

    if arguments.gallery < arguments.probes:
        raise UserError(
            f"--gallery {arguments.gallery} is less than --probes {arguments.probes}: give as many or more."
        )
    case, device = (
        Case(arguments.probes, arguments.gallery, *arguments.shape, arguments.metric),
        pick_device(arguments.device),
    )
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        entrants = [Entrant("this package", evaluation_trial, (case, device))]
        if arguments.opengait:
            from opengait_meshgait.benchmark import opengait_trials as alone
            from opengait_meshgait.opengait.checkout import Checkout

            checkout = Checkout(arguments.opengait)
            checkout.require_packages()
            place = (checkout.root, Path(folder), case, device)
            entrants.append(Entrant(f"OpenGait {checkout.commit}", alone.evaluation_trial, place))
        measured = measure_in_turns(entrants, arguments.rounds, warm_up=0, say=say)
    differences = compare(measured)
    lines = [
        markdown(table(measured, arguments.clock)),
        f"{case.probes} probes × {case.gallery} gallery sequences of [{case.channels}, {case.parts}], {case.metric}, "
        f"{arguments.clock} clock; "
        f"{provenance.machine(arguments.device)}; load {before:.1f} to {os.getloadavg()[0]:.1f}.",
        *(f"{task}: figures differ by {value:.1e} points at most." for task, value in differences.items()),
    ]
    text = "\n\n".join(lines)
    content = {
        "schema": SCHEMA,
        **provenance.origin(arguments.device),
        "load": [before, os.getloadavg()[0]],
        **asdict(case),
        "differences": differences,
        "entrants": [
            {"name": one.name, "turns": {task: [asdict(turn) for turn in turns] for task, turns in one.turns.items()}}
            for one in measured
        ],
    }
    write_json(arguments.out / "evaluation.json", content)
    with atomic_path(arguments.out / "evaluation.md") as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    print(text)
    if max(differences.values(), default=0.0) <= TOLERANCE:
        return 0
    say(f"The figures differ by more than {TOLERANCE} points: please report it, with the JSON file.")
    return 1


def compare(measured: Sequence["Measured"]) -> Mapping[str, float]:
    """By how many points the figures of both differ at most, by task; nothing where there is one alone.

    Cross-view figures that only one of them knows are left out; OpenGait's are averages of figures that are rounded to
    two digits, and so are this package's here.
    """
    if len(measured) == 1:
        return {}
    found = {}
    for task in measured[0].turns:
        ours, theirs = (one.turns[task][0].value for one in measured)
        found[task] = max(abs(ours[name] - theirs[name]) for name in ours.keys() & theirs.keys())
    return found


def table(measured: Sequence["Measured"], clock: str) -> list[list[str]]:
    """Rows of cells, the first row the header: one row a function, and one of the memory."""
    first, *others = measured
    rows = [["", *(f"{one.name}, s" for one in measured), *(["times as fast"] if others else []), "figures, %"]]
    for task, turns in first.turns.items():
        figures = ", ".join(f"{name} {value:.2f}" for name, value in turns[0].value.items())
        seconds = [f"{one.median(task, CLOCKS[clock]):.1f}" for one in measured]
        rows.append(
            [task, *seconds, *(f"{1 / first.ratio(other, task, CLOCKS[clock]):.1f}" for other in others), figures]
        )
    peaks = [max(turn.peak_bytes for turns in one.turns.values() for turn in turns) / 2**30 for one in measured]
    rows.append(["peak memory", *(f"{peak:.2f} GiB" for peak in peaks), *("" for _ in others), ""])
    return rows
