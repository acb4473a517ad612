"""Many like jobs on several processor cores."""

import os
import sys
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any

import cv2

from opengait_meshgait.common.errors import UserError


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
        function: of a module; it and its arguments are pickled.
        jobs: arguments of the calls.
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
    try:
        for job in jobs:
            yield function(*job)
    finally:
        _set_threads(*before)


def _start_worker(start: Callable, *settings: Any) -> None:
    start(*settings)
    _set_threads(1, 1)


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
