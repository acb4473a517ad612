"""Many like jobs on several processor cores."""

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any

from opengait_meshgait.common.errors import UserError


def in_processes(
    function: Callable, jobs: Sequence[tuple], workers: int, start: Callable, *settings: Any
) -> Iterator[Any]:
    """Call ``function(*job)`` for all jobs; what comes back is yielded in the order in which jobs are done.

    The processes start at once.

    Args:
        function: of a module; it and its arguments are pickled.
        jobs: arguments of the calls.
        workers: processes.
        start: called in each process first, with ``settings``.

    Raises:
        UserError: of a job, or a process died. Jobs that wait are then dropped.
    """
    if not jobs:
        return iter(())
    pool = ProcessPoolExecutor(workers, get_context("fork" if _can_fork() else "spawn"), start, settings)
    return _results(pool, [pool.submit(function, *job) for job in jobs])


def _can_fork() -> bool:
    """Whether processes may start as copies of this one, which takes no time.

    A copy has one thread alone: what other threads hold in the original, such as a lock or torch's pool, it waits for
    in vain.
    """
    return sys.platform == "linux" and threading.active_count() == 1 and "torch" not in sys.modules


def _results(pool: ProcessPoolExecutor, futures: list[Future]) -> Iterator[Any]:
    try:
        for future in as_completed(futures):
            yield future.result()
    except BrokenProcessPool as error:
        raise UserError(
            "A worker process died, perhaps for want of memory. Run again with fewer --workers; what is written stays."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)
