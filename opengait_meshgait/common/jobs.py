"""Many like jobs on several processor cores."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any

from opengait_meshgait.common.errors import UserError


def in_processes(
    function: Callable, jobs: Sequence[tuple], workers: int, start: Callable, *settings: Any, fork: bool = False
) -> Iterator[Any]:
    """Call ``function(*job)`` for all jobs; what comes back is yielded in the order in which jobs
    are done. The processes start at once.

    Args:
        function: of a module; it and its arguments are pickled.
        jobs: arguments of the calls.
        workers: processes.
        start: called in each process first, with ``settings``.
        fork: start processes as copies of this one, which takes no time. Not where the system has no ``fork``, and not
            once torch has computed anything here: a copy of its thread pool can hang.

    Raises:
        UserError: of a job, or a process died. Jobs that wait are then dropped.
    """
    if not jobs:
        return iter(())
    pool = ProcessPoolExecutor(workers, get_context("fork" if fork else "spawn"), start, settings)
    return _results(pool, [pool.submit(function, *job) for job in jobs])


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
