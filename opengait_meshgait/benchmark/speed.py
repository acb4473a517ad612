"""``meshgait bench speed``: what networks cost, measured interleaved."""

import os
from collections.abc import Sequence
from pathlib import Path

from opengait_meshgait.benchmark.interleaved import CLOCKS, Entrant, Measured, measure_interleaved, write_measured
from opengait_meshgait.benchmark.network_workload import BATCH, SEQUENCE, TRAINING, SpeedCase, network_workload
from opengait_meshgait.benchmark.opengait_workloads import MODELS, opengait_network_workload
from opengait_meshgait.common.distributed import pick_device
from opengait_meshgait.common.errors import UserError, did_you_mean
from opengait_meshgait.common.tables import markdown
from opengait_meshgait.engine.config import load_config
from opengait_meshgait.opengait.checkout import Checkout


def bench_speed(
    configs: Sequence[str],
    overrides: Sequence[str],
    case: SpeedCase,
    rounds: int,
    clock: str,
    device: str,
    out: Path,
    opengait: Path | None = None,
    models: Sequence[str] | None = None,
) -> str:
    """Measure networks, and write ``speed.md`` and ``speed.json``.

    Args:
        configs: YAML files; the first is what all others are compared with.
        overrides: ``--set``, for all of them.
        case: what to do.
        rounds: of measurements.
        clock: ``wall`` or ``processor``.
        device: as for ``--device``.
        out: folder of the files.
        opengait: a checkout whose models are measured as well.
        models: of these only those, keys of :data:`~opengait_meshgait.benchmark.opengait_workloads.MODELS`.

    Returns:
        The table, in Markdown.

    Raises:
        UserError: a config, a model or the clock cannot be used.
    """
    where = pick_device(device)
    if clock == "processor" and where.type == "cuda":
        raise UserError("--clock processor would leave out what the GPU does: take --clock wall, or --device cpu.")
    for path in configs:
        load_config(path, overrides)  # mistakes are reported before any process starts
    stems = [Path(path).stem for path in configs]
    names = stems if len({*stems}) == len(stems) else configs
    entrants = [
        Entrant(name, network_workload, (path, [*overrides], case, where)) for name, path in zip(names, configs)
    ]
    commit = {}
    if opengait is not None:
        checkout = Checkout(opengait)
        checkout.require_packages()
        commit = {"opengait": checkout.commit}
        for name in models or MODELS:
            if name not in MODELS:
                raise UserError(f"--models {name}: there is no such model to time. {did_you_mean(name, MODELS)}")
            arguments = (checkout.root, name, case, where)
            entrants.append(Entrant(f"OpenGait {name}", opengait_network_workload, arguments))
    elif models:
        raise UserError("--models names OpenGait's models: add --opengait ROOT, the checkout they are in.")
    load = os.getloadavg()[0]
    measured = measure_interleaved(entrants, rounds)
    text = (
        f"{markdown(speed_table(measured, clock))}\n\n{case.frames} frames a sequence, {case.people}×{case.each} "
        f"sequences a batch, medians of {rounds} rounds, {clock} clock"
    )
    return write_measured(out / "speed", text, measured, device, load, **commit, **vars(case))


def speed_table(measured: Sequence[Measured], clock: str) -> list[list[str]]:
    """Rows of cells, the first row the header.

    Args:
        measured: all that took part; the first is what the others are compared with.
        clock: ``wall`` or ``processor``.
    """
    figure = CLOCKS[clock]
    rows = [["", "parameters", "GFLOPs", "ms / sequence", "×", "sequences / s", "s / training step", "×", "peak GiB"]]
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
                f"{one.peak(TRAINING):.2f}",
            ]
        )
    return rows
