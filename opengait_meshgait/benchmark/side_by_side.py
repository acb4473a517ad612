"""Several trainings at once, each in a process of its own with its share of the threads."""

import multiprocessing
import signal
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stderr, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import cv2
import torch

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.interruption import end_with_parent
from opengait_meshgait.engine.progress import say


@dataclass(frozen=True)
class Training:
    """One of many.

    Attributes:
        name: for messages.
        function: of a module, which trains; it and its arguments go to another process.
        arguments: of ``function``.
        folders: that it writes to, and no other may meanwhile.
        log: file that takes what it says, where several run at once.
        reads: folders that no other may write to meanwhile; those that do and come before it are waited for.
    """

    name: str
    function: Callable[..., Mapping[str, Any]]
    arguments: tuple
    folders: frozenset[Path]
    log: Path
    reads: frozenset[Path] = frozenset()


def run_trainings(
    trainings: Sequence[Training], jobs: int, before: Sequence[Training] = ()
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Run trainings, ``jobs`` at a time; what each returns is yielded with its number as soon as it is done.

    One at a time runs in this process. Where one fails, the others are asked to save what they have and to end, and so
    they are by Ctrl-C. Those of ``before``, whose folders others read, begin first, and nothing of theirs is yielded.

    Raises:
        UserError: of a training, or its process died.
    """
    for number, found in _run([*before, *trainings], jobs):
        if number >= len(before):
            yield number - len(before), found


def _run(trainings: Sequence[Training], jobs: int) -> Iterator[tuple[int, Mapping[str, Any]]]:
    if jobs == 1:
        for number, one in enumerate(trainings):
            say(f"== {one.name} (run {number + 1} of {len(trainings)})")
            yield number, one.function(*one.arguments)
        return
    threads = max(1, torch.get_num_threads() // jobs)
    context = multiprocessing.get_context("spawn")
    waiting = [*enumerate(trainings)]
    running: dict[Connection, tuple[int, BaseProcess]] = {}
    try:
        while waiting or running:
            while len(running) < jobs and (free := _next(waiting, [trainings[n] for n, _ in running.values()])):
                waiting.remove(free)
                number, one = free
                say(f"== {one.name} (run {number + 1} of {len(trainings)}): {one.log}")
                here, there = context.Pipe(duplex=False)
                process = context.Process(target=_train, args=(there, threads, one))
                process.start()
                there.close()
                running[here] = number, process
            for connection in wait([*running]):
                assert isinstance(connection, Connection)
                number, process = running[connection]
                found = _receive(connection, trainings[number])
                del running[connection]
                process.join()
                say(f"== {trainings[number].name}: done")
                yield number, found
    finally:
        for _, process in running.values():
            process.terminate()
        for _, process in running.values():
            process.join()


def _next(waiting: Sequence[tuple[int, Training]], running: Sequence[Training]) -> tuple[int, Training] | None:
    """The first that neither writes where one of those that are running does or reads, nor reads where one writes."""
    written, read = (frozenset().union(*(getattr(one, name) for one in running)) for name in ("folders", "reads"))
    return next(
        (
            (number, one)
            for number, one in waiting
            if written.isdisjoint(one.folders | one.reads) and read.isdisjoint(one.folders)
        ),
        None,
    )


def _receive(connection: Connection, one: Training) -> Mapping[str, Any]:
    try:
        kind, content = connection.recv()
    except EOFError:
        raise UserError(
            f"The process of {one.name} died, perhaps because memory ran out: see {one.log}. Run the same command "
            "again with fewer --jobs; what is saved stays."
        ) from None
    if kind == "mistake":
        raise UserError(f"{one.name}: {content}")
    if kind == "failure":
        raise RuntimeError(f"{one.name} failed:\n{content}")
    return content


def _train(connection: Connection, threads: int, one: Training) -> None:
    """What runs in the process of a training."""
    end_with_parent(signal.SIGTERM)
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    one.log.parent.mkdir(parents=True, exist_ok=True)
    # Stopped by a signal, which reached the first process too: it saves, and has nothing to say.
    with suppress(KeyboardInterrupt), one.log.open("a", encoding="utf-8", buffering=1) as log, redirect_stderr(log):
        try:
            connection.send(("fine", one.function(*one.arguments)))
        except UserError as error:
            connection.send(("mistake", str(error)))
        except Exception:
            connection.send(("failure", traceback.format_exc()))
