"""Interleaved measurements, each contender in a process of its own.

On a busy machine the same work takes now longer, now shorter. What is to be compared is therefore run A B C A B C…, so
that a slow minute meets all alike. A process of its own gives each its own peak of memory.
"""

import multiprocessing
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from statistics import median
from typing import Any

import torch

from opengait_meshgait.common import provenance
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.files import atomic_path, write_json
from opengait_meshgait.engine.progress import say

CLOCKS = {"wall": "seconds", "processor": "processor_seconds"}
"""Clocks, and the figure of a :class:`Measurement` that each is."""
_KILOBYTE = 1 if sys.platform == "darwin" else 1024  # the unit of ru_maxrss


@dataclass(frozen=True)
class Workload:
    """What an entrant is ready to do, in its process.

    Attributes:
        facts: by name, to be handed over once.
        tasks: by name, what is timed; what it returns is handed over too.
        device: where the tasks compute.
        calls: by name of a task, how many of its calls are one measurement; once if it is not named.
    """

    facts: Mapping[str, Any]
    tasks: Mapping[str, Callable[[], Any]]
    device: torch.device
    calls: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Entrant:
    """Who takes part.

    Attributes:
        name: for messages and tables.
        build: gives the workload; a function of a module, because it is called in another process.
        arguments: of ``build``.
    """

    name: str
    build: Callable[..., Workload]
    arguments: tuple


@dataclass(frozen=True)
class Measurement:
    """One measurement.

    Attributes:
        seconds: on the clock on the wall.
        processor_seconds: of all threads together; on a busy machine the steadier figure.
        peak_bytes: of memory: on a CPU what the process has held at most so far, on a GPU what PyTorch had allocated
            at most in this measurement.
        value: what the task returned.
    """

    seconds: float
    processor_seconds: float
    peak_bytes: int
    value: Any = None


@dataclass
class Measured:
    """An entrant's facts, and its measurements by task, one a round."""

    name: str
    facts: Mapping[str, Any]
    rounds: dict[str, list[Measurement]]

    def median(self, task: str, figure: str = "seconds") -> float:
        """Over all rounds."""
        return median(getattr(one, figure) for one in self.rounds[task])

    def ratio(self, first: "Measured", task: str, figure: str = "seconds") -> float:
        """Time divided by that of ``first``: the median over rounds of the ratio in each."""
        pairs = zip(self.rounds[task], first.rounds[task])
        return median(getattr(mine, figure) / getattr(other, figure) for mine, other in pairs)

    def peak(self, task: str) -> float:
        """GiB."""
        return max(one.peak_bytes for one in self.rounds[task]) / 2**30


def measure_interleaved(entrants: Sequence[Entrant], rounds: int, warm_up: int = 1) -> list[Measured]:
    """Run every task of every entrant in every round.

    Args:
        entrants: all are started at once, and wait until they are asked.
        rounds: how many measurements of each task.
        warm_up: rounds before these, which are not counted.

    Raises:
        UserError: of an entrant, or its process died.
    """
    context = multiprocessing.get_context("spawn")
    running: list[tuple[BaseProcess, Connection]] = []
    try:
        measured = []
        for entrant in entrants:
            say(f"== building {entrant.name}")
            here, there = context.Pipe()
            process = context.Process(target=_serve, args=(there, entrant.build, entrant.arguments), daemon=True)
            process.start()
            there.close()
            running.append((process, here))
            facts, tasks = _receive(here, entrant.name)
            measured.append(Measured(entrant.name, facts, {task: [] for task in tasks}))
        for number in range(-warm_up, rounds):
            say("== warming up" if number < 0 else f"== round {number + 1} of {rounds}")
            for one, (_, connection) in zip(measured, running):
                for task, done in one.rounds.items():
                    with suppress(BrokenPipeError):  # _receive reports a process that died
                        connection.send(task)
                    measurement = _receive(connection, one.name)
                    if number >= 0:
                        done.append(measurement)
        return measured
    finally:
        for process, connection in running:
            connection.close()
            process.terminate()
            process.join()


def write_measured(path: Path, text: str, measured: Sequence[Measured], device: str, load: float, **more: Any) -> str:
    """Write ``<path>.md`` for people and ``<path>.json`` with all measurements.

    Args:
        path: without suffix.
        text: Markdown; what it was measured on is added to its last line.
        measured: all that took part.
        device: as for ``--device``.
        load: of the machine before.
        more: for the JSON file.

    Returns:
        The Markdown.
    """
    load_now = os.getloadavg()[0]
    text += f"; {provenance.machine(device)}; load {load:.1f} to {load_now:.1f}."
    turns = [{task: [asdict(one) for one in done] for task, done in each.rounds.items()} for each in measured]
    entrants = [{"name": each.name, **each.facts, "turns": own} for each, own in zip(measured, turns)]
    content = {"schema": 1, **provenance.origin(device), "load": [load, load_now], **more, "entrants": entrants}
    write_json(path.with_suffix(".json"), content)
    with atomic_path(path.with_suffix(".md")) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    return text


def _receive(connection: Connection, name: str) -> Any:
    try:
        kind, content = connection.recv()
    except (EOFError, ConnectionResetError):
        raise UserError(f"The process of {name} died, perhaps because memory ran out. Give it less to do.") from None
    if kind == "mistake":
        raise UserError(f"{name}: {content}")
    if kind == "failure":
        raise RuntimeError(f"{name} failed:\n{content}")
    return content


def _serve(connection: Connection, build: Callable[..., Workload], arguments: tuple) -> None:
    """What runs in the process of an entrant."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process receives it too, and ends this one
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            work = build(*arguments)
            connection.send(("fine", (dict(work.facts), [*work.tasks])))
            while True:
                connection.send(("fine", _measure(work, connection.recv())))
        except UserError as error:
            connection.send(("mistake", str(error)))
        except EOFError:
            raise
        except Exception:
            connection.send(("failure", traceback.format_exc()))


def _measure(work: Workload, task: str) -> Measurement:
    cuda, calls = work.device.type == "cuda", work.calls.get(task, 1)
    if cuda:
        torch.cuda.synchronize(work.device)
        torch.cuda.reset_peak_memory_stats(work.device)
    began, processor = time.perf_counter(), time.process_time()
    for _ in range(calls):
        value = work.tasks[task]()
    if cuda:
        torch.cuda.synchronize(work.device)
    spent = (time.perf_counter() - began) / calls, (time.process_time() - processor) / calls
    if cuda:
        return Measurement(*spent, torch.cuda.max_memory_allocated(work.device), value)
    return Measurement(*spent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KILOBYTE, value)
