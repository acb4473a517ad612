"""``meshgait bench gpu``: whether all of it runs on a GPU, how fast and how exactly, in at most eight minutes.

Parts have a process and a time limit each; one that fails or takes too long is told in the table, and the others go on.
"""

import multiprocessing
import os
import signal
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection

from opengait_meshgait.benchmark.gpu_parts import (
    GpuCase,
    GpuFigures,
    compare_networks,
    draw_and_train,
    first_line,
    recognise_in_every_way,
    train_in_every_way,
    train_inside_opengait,
)
from opengait_meshgait.common import provenance
from opengait_meshgait.common.distributed import pick_device
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.files import atomic_path, write_json
from opengait_meshgait.common.interruption import end_with_parent
from opengait_meshgait.common.tables import markdown
from opengait_meshgait.engine.config import load_config
from opengait_meshgait.engine.progress import say
from opengait_meshgait.opengait.checkout import Checkout


@dataclass(frozen=True)
class Part:
    """One of the parts.

    Attributes:
        name: for the table.
        function: of a module.
        limit: seconds.
    """

    name: str
    function: Callable[[GpuCase], GpuFigures]
    limit: float


PARTS = (
    Part("walkers, training", draw_and_train, 60),
    Part("OpenGait's trainer", train_inside_opengait, 100),
    Part("recognition", recognise_in_every_way, 80),
    Part("training steps", train_in_every_way, 80),
    Part("networks in turns", compare_networks, 160),
)
"""In their order; together at most eight minutes."""


def bench_gpu(case: GpuCase) -> str:
    """Run all parts, and write ``gpu.md`` and ``gpu.json``.

    Returns:
        The table, in Markdown.

    Raises:
        UserError: a config or the checkout cannot be used.
    """
    pick_device(case.device)
    for path in case.configs:
        load_config(path, case.overrides)  # mistakes are reported before any process starts
    if case.opengait is not None:
        Checkout(case.opengait)
    rows, found = [["part", "what", "figure"]], []
    for part in PARTS:
        say(f"== {part.name}, at most {part.limit:.0f} s")
        began = time.monotonic()
        figures, problem = run_part(part, case)
        seconds = time.monotonic() - began
        rows += [[part.name, name, figure] for name, figure in figures.items()]
        rows.append([part.name, "done" if problem is None else "not done", problem or f"{seconds:.0f} s"])
        found.append({"name": part.name, "figures": figures, "problem": problem, "seconds": round(seconds, 1)})
    speed = case.speed
    text = (
        f"{markdown(rows)}\n\n{speed.people}×{speed.each} sequences of {speed.frames} frames a batch; "
        f"{provenance.machine(case.device)}."
    )
    write_json(case.out / "gpu.json", {"schema": 1, **provenance.origin(case.device), **vars(speed), "parts": found})
    with atomic_path(case.out / "gpu.md") as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    return text


def run_part(part: Part, case: GpuCase) -> tuple[GpuFigures, str | None]:
    """What a part found, and what kept it from its end, if anything did. No process that it started is left."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(there, part.function, case))
    process.start()
    there.close()
    try:
        if not here.poll(part.limit):
            return {}, f"took longer than {part.limit:g} s"
        return here.recv()
    except EOFError:
        return {}, "its process died, perhaps because memory ran out"
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.join()


def _serve(connection: Connection, function: Callable[[GpuCase], GpuFigures], case: GpuCase) -> None:
    """What runs in the process of a part."""
    os.setsid()  # so that all it starts can be ended with it
    end_with_parent(signal.SIGKILL)
    connection.send(attempt(function, case))


def attempt(function: Callable[[GpuCase], GpuFigures], case: GpuCase) -> tuple[GpuFigures, str | None]:
    """What a part found, or what it failed by."""
    try:
        return function(case), None
    except UserError as error:
        return {}, str(error)
    except Exception as error:
        traceback.print_exc()
        return {}, first_line(error)
