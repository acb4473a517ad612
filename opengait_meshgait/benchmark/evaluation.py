"""``meshgait bench evaluation``: the metrics on many random features, beside OpenGait's own."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from opengait_meshgait.benchmark.evaluation_workload import EvaluationCase, evaluation_workload
from opengait_meshgait.benchmark.interleaved import CLOCKS, Entrant, Measured, measure_interleaved, write_measured
from opengait_meshgait.benchmark.opengait_workloads import opengait_evaluation_workload
from opengait_meshgait.common.distributed import pick_device
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.tables import markdown
from opengait_meshgait.opengait.checkout import Checkout

ROUNDING = 1e-4
"""Points of percent by which figures may differ: float32 sums in another order swap sequences that are nearly tied."""


def bench_evaluation(
    case: EvaluationCase, rounds: int, clock: str, device: str, out: Path, opengait: Path | None = None
) -> str:
    """Evaluate random features, and write ``evaluation.md`` and ``evaluation.json``.

    Args:
        case: the features.
        rounds: of measurements.
        clock: ``wall`` or ``processor``.
        device: as for ``--device``.
        out: folder of the files.
        opengait: a checkout to compare with.

    Returns:
        The table, in Markdown.

    Raises:
        UserError: OpenGait's figures differ, or the case or the checkout cannot be used.
    """
    if case.gallery < case.probes:
        raise UserError(f"--gallery {case.gallery} is less than --probes {case.probes}: give as many or more.")
    where, load = pick_device(device), os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        entrants = [Entrant("this package", evaluation_workload, (case, where))]
        if opengait is not None:
            checkout = Checkout(opengait)
            checkout.require_packages()
            arguments = (checkout.root, Path(folder), case, where)
            entrants.append(Entrant(f"OpenGait {checkout.commit}", opengait_evaluation_workload, arguments))
        measured = measure_interleaved(entrants, rounds, warm_up=0)
    differences = figure_differences(measured)
    found = "".join(f"{task}: figures differ by {value:.1e} points at most.\n\n" for task, value in differences.items())
    text = (
        f"{markdown(evaluation_table(measured, clock))}\n\n{found}{case.probes} probes × {case.gallery} gallery "
        f"sequences of [{case.channels}, {case.parts}], {case.metric}, {clock} clock"
    )
    text = write_measured(out / "evaluation", text, measured, device, load, **vars(case), differences=differences)
    if max(differences.values(), default=0.0) > ROUNDING:
        raise UserError(
            f"The figures differ from OpenGait's by more than {ROUNDING} points, see {out / 'evaluation.md'}. Please "
            f"report it, with {out / 'evaluation.json'}."
        )
    return text


def figure_differences(measured: Sequence[Measured]) -> Mapping[str, float]:
    """By how many points the figures of both differ at most, by task; nothing where there is one alone.

    Cross-view figures that only one of them knows are left out; OpenGait's are averages of figures that are rounded to
    two digits, and so are this package's here.
    """
    if len(measured) == 1:
        return {}
    found = {}
    for task in measured[0].rounds:
        ours, theirs = (one.rounds[task][0].value for one in measured)
        found[task] = max(abs(ours[name] - theirs[name]) for name in ours.keys() & theirs.keys())
    return found


def evaluation_table(measured: Sequence[Measured], clock: str) -> list[list[str]]:
    """Rows of cells, the first row the header: one row a function, and one of the memory."""
    first, *others = measured
    rows = [["", *(f"{one.name}, s" for one in measured), *(["times as fast"] if others else []), "figures, %"]]
    for task, rounds in first.rounds.items():
        figures = ", ".join(f"{name} {value:.2f}" for name, value in rounds[0].value.items())
        seconds = [f"{one.median(task, CLOCKS[clock]):.1f}" for one in measured]
        ratios = [f"{1 / first.ratio(other, task, CLOCKS[clock]):.1f}" for other in others]
        rows.append([task, *seconds, *ratios, figures])
    peaks = [max(map(one.peak, one.rounds)) for one in measured]
    rows.append(["peak memory", *(f"{peak:.2f} GiB" for peak in peaks), *("" for _ in others), ""])
    return rows
