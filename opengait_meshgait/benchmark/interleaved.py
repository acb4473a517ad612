"""Things measured in turns, each in a process of its own.

On a machine that others use too, the same work takes now longer, now shorter. What is to be compared is therefore run A
B C A B C…, so that a slow minute meets all alike. A process of its own gives each its own peak of memory.
"""

import multiprocessing
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from statistics import median
from typing import Any

import torch

from opengait_meshgait.common.errors import UserError

_KILOBYTE = 1 if sys.platform == "darwin" else 1024  # the unit of ru_maxrss


@dataclass(frozen=True)
class Trial:
    """What an entrant made of itself, in its process.

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
        build: gives the trial; a function of a module, for it is called in another process.
        arguments: of ``build``.
    """

    name: str
    build: Callable[..., Trial]
    arguments: tuple


@dataclass(frozen=True)
class Turn:
    """One measurement.

    Attributes:
        seconds: on the clock on the wall.
        processor_seconds: of all threads together; on a busy machine the steadier figure.
        peak_bytes: of memory: on a CPU what the process has held at most so far, on a GPU what PyTorch had allocated
            at most in this turn.
        value: what the task returned.
    """

    seconds: float
    processor_seconds: float
    peak_bytes: int
    value: Any = None


@dataclass
class Measured:
    """An entrant's facts, and its turns by task."""

    name: str
    facts: Mapping[str, Any]
    turns: dict[str, list[Turn]]

    def median(self, task: str, figure: str = "seconds") -> float:
        """Over all rounds."""
        return median(getattr(turn, figure) for turn in self.turns[task])

    def ratio(self, first: "Measured", task: str, figure: str = "seconds") -> float:
        """How often the time of ``first``: the median over rounds of the ratio in each."""
        pairs = zip(self.turns[task], first.turns[task])
        return median(getattr(mine, figure) / getattr(other, figure) for mine, other in pairs)


def measure_in_turns(
    entrants: Sequence[Entrant], rounds: int, warm_up: int = 1, say: Callable[[str], None] = lambda line: None
) -> list[Measured]:
    """Run every task of every entrant in every round.

    Args:
        entrants: all are started at once, and wait for their turns.
        rounds: how many measurements of each task.
        warm_up: rounds before these, which are not counted.
        say: told what is done.

    Raises:
        UserError: of an entrant, or its process died.
    """
    context = multiprocessing.get_context("spawn")
    running: list[tuple[BaseProcess, Connection]] = []
    try:
        measured = []
        for entrant in entrants:
            say(f"building {entrant.name}")
            here, there = context.Pipe()
            process = context.Process(target=_serve, args=(there, entrant.build, entrant.arguments), daemon=True)
            process.start()
            there.close()
            running.append((process, here))
            facts, tasks = _receive(here, entrant.name)
            measured.append(Measured(entrant.name, facts, {task: [] for task in tasks}))
        for number in range(-warm_up, rounds):
            say("warming up" if number < 0 else f"round {number + 1} of {rounds}")
            for one, (_, connection) in zip(measured, running):
                for task, turns in one.turns.items():
                    with suppress(BrokenPipeError):  # whoever is dead is told by what follows
                        connection.send(task)
                    turn = _receive(connection, one.name)
                    if number >= 0:
                        turns.append(turn)
        return measured
    finally:
        for process, connection in running:
            connection.close()
            process.terminate()
            process.join()


def _receive(connection: Connection, name: str) -> Any:
    try:
        kind, content = connection.recv()
    except (EOFError, ConnectionResetError):
        raise UserError(f"The process of {name} died, perhaps for want of memory. Give it less to do.") from None
    if kind == "mistake":
        raise UserError(f"{name}: {content}")
    if kind == "failure":
        raise RuntimeError(f"{name} failed:\n{content}")
    return content


def _serve(connection: Connection, build: Callable[..., Trial], arguments: tuple) -> None:
    """What runs in the process of an entrant."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process hears it too, and ends this one
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            trial = build(*arguments)
            connection.send(("fine", (dict(trial.facts), [*trial.tasks])))
            while True:
                connection.send(("fine", _turn(trial, connection.recv())))
        except UserError as error:
            connection.send(("mistake", str(error)))
        except EOFError:
            raise
        except Exception:
            connection.send(("failure", traceback.format_exc()))


def _turn(trial: Trial, task: str) -> Turn:
    cuda, calls = trial.device.type == "cuda", trial.calls.get(task, 1)
    if cuda:
        torch.cuda.synchronize(trial.device)
        torch.cuda.reset_peak_memory_stats(trial.device)
    began, processor = time.perf_counter(), time.process_time()
    for _ in range(calls):
        value = trial.tasks[task]()
    if cuda:
        torch.cuda.synchronize(trial.device)
    spent = (time.perf_counter() - began) / calls, (time.process_time() - processor) / calls
    if cuda:
        return Turn(*spent, torch.cuda.max_memory_allocated(trial.device), value)
    return Turn(*spent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KILOBYTE, value)
