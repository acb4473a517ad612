"""Many like jobs on several processor cores, and the folder that they fill, resumed after a stop."""

import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.files import read_json, write_json
from opengait_meshgait.common.interruption import end_with_parent
from opengait_meshgait.common.memory import keep_freed_memory

UNFINISHED = ".unfinished"
"""What is not whole yet lies in a folder of this name, which no reader of datasets looks into."""

Change = tuple[str, Any, Any]
"""A key, what it was and what it is now."""


def count_workers(workers: int | None) -> int:
    """How many processes ``--workers`` asks for; None is one a CPU core.

    Raises:
        UserError: fewer than one.
    """
    if workers is not None and workers < 1:
        raise UserError(f"workers is {workers}: give at least 1.")
    return workers or os.cpu_count() or 1


def run_jobs(
    function: Callable, jobs: Sequence[tuple], workers: int, start: Callable, *settings: Any
) -> Generator[Any, None, None]:
    """Call ``function(*job)`` for all jobs; what comes back is yielded in the order in which jobs are done.

    With several workers their processes start at once; else the jobs are done in this process, one by one. Each
    process computes on one thread: on small pictures more only wait for each other, and the order of a sum could depend
    on their number.

    Args:
        function, jobs: of a module, and the arguments of its calls; they are pickled.
        workers: processes.
        start: called in each process first, with ``settings``.

    Raises:
        UserError: of a job, or a process died. Jobs that wait are then dropped.
    """
    workers = min(workers, len(jobs))
    if workers <= 1:
        return _run_here(function, jobs, start, settings)
    context = get_context("fork" if _can_fork() else "spawn")
    pool = ProcessPoolExecutor(workers, context, _start_worker, (start, *settings))
    return _results(pool, [pool.submit(function, *job) for job in jobs])


def _can_fork() -> bool:
    """Whether processes may start as copies of this one, which takes no time.

    A copy has one thread alone: what other threads hold in the original, such as a lock or torch's pool, it waits for
    in vain.
    """
    return sys.platform == "linux" and threading.active_count() == 1 and "torch" not in sys.modules


def _run_here(
    function: Callable, jobs: Sequence[tuple], start: Callable, settings: tuple
) -> Generator[Any, None, None]:
    if not jobs:
        return
    start(*settings)
    torch = sys.modules.get("torch")  # silhouettes alone do without
    before = cv2.getNumThreads(), torch.get_num_threads() if torch else None
    _set_threads(1, 1)
    keep_freed_memory()
    try:
        for job in jobs:
            yield function(*job)
    finally:
        _set_threads(*before)


def _start_worker(start: Callable, *settings: Any) -> None:
    # To stop is the parent's affair, which drops the jobs that wait; without it nobody would.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    end_with_parent(signal.SIGKILL)
    start(*settings)
    _set_threads(1, 1)
    keep_freed_memory()


def _set_threads(of_cv2: int, of_torch: int | None) -> None:
    cv2.setNumThreads(of_cv2)
    if of_torch and (torch := sys.modules.get("torch")):
        torch.set_num_threads(of_torch)


def _results(pool: ProcessPoolExecutor, futures: list[Future]) -> Generator[Any, None, None]:
    try:
        for future in as_completed(futures):
            yield future.result()
    except BrokenProcessPool as error:
        raise UserError(
            "A worker process died, perhaps for want of memory. Run again with fewer --workers; what is written stays."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def open_output(
    out: Path,
    name: str,
    record: dict[str, Any],
    keys: Sequence[str],
    what: str,
    explain: Callable[[Change], Change] = lambda change: change,
) -> None:
    """Make sure that ``out`` is free, or holds a part of the same thing.

    Args:
        out: the folder; it is made.
        name: of the JSON file in it that says what it holds.
        record: what that file is to say.
        keys: the entries of ``record`` that must be equal to resume.
        what: is made there, in the plural, for messages.
        explain: makes a change plainer.

    Raises:
        UserError: it cannot be written, or holds other files, or things made with other ``keys``.
    """
    path = out / name
    try:
        if out.exists() and not out.is_dir():
            raise UserError(f"{out} is a file. Give a folder, or a name that is still free.")
        if not path.exists():
            if out.is_dir() and any(out.iterdir()):
                raise UserError(f"{out} holds files but no {name} of {what}. Give an empty folder or a new name.")
            write_json(path, record)
    except OSError as error:
        raise UserError(f"Cannot write to {out}: {error.strerror}. Give another folder.") from error
    found = read_json(path)
    for key in keys:
        before, now = found.get(key), record[key]
        if before == now:
            continue
        if isinstance(before, dict) and isinstance(now, dict):
            key, before, now = next((k, before.get(k), now.get(k)) for k in now | before if before.get(k) != now.get(k))
        key, before, now = explain((key, before, now))
        raise UserError(
            f"{out} already holds {what} made with {key} {before}, and now {key} is {now}. "
            "Give another folder, or the same options to resume there."
        )


def write_folder(out: Path, name: str | Path, files: Mapping[str, bytes]) -> None:
    """Write the folder ``name`` below ``out``, whole or not at all; it replaces what is there."""
    unfinished = out / UNFINISHED / str(name).replace("/", "-")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    for file, content in files.items():
        (unfinished / file).write_bytes(content)
    shutil.rmtree(out / name, ignore_errors=True)
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    unfinished.replace(out / name)
