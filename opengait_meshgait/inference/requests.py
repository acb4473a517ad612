"""Requests of several threads, answered together: many rows in one product of matrices take less time each."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Lock, Semaphore

import torch

Answer = tuple[torch.Tensor, torch.Tensor]
"""Distances and places, each ``[b, k]``, a row for each probe."""


@dataclass(eq=False)
class _Request:
    probes: torch.Tensor
    top: int
    answer: "Future[Answer]" = field(default_factory=Future)


class RequestQueue:
    """Takes requests from many threads. Whoever has its turn answers what waits by then, and not itself alone.

    No thread is its own: each turn is a thread that asks.
    """

    def __init__(self, find: Callable[[torch.Tensor, int], Answer], rows: int, turns: int):
        """Nothing waits.

        Args:
            find: takes probes ``[p, b, c]`` and k to the nearest k of each; of a smaller k, it would find the first.
            rows: requests are put together while they have no more probes than this in all.
            turns: how many threads may be at it at once.
        """
        self._find, self._rows = find, rows
        self._turns, self._lock = Semaphore(turns), Lock()
        self._waiting: list[_Request] = []

    def ask(self, probes: torch.Tensor, top: int) -> Answer:
        """What ``find`` gives for these probes, perhaps found by another thread."""
        own = _Request(probes, top)
        with self._lock:
            self._waiting.append(own)
        with self._turns:
            while taken := self._take(own):
                self._answer(taken)
        return own.answer.result()

    def _take(self, own: _Request) -> list[_Request]:
        """The requests that have waited longest; none where nobody needs to answer ``own`` any more."""
        with self._lock:
            if own not in self._waiting:
                return []
            number, rows = 1, self._waiting[0].probes.shape[1]
            for request in self._waiting[1:]:
                rows += request.probes.shape[1]
                number += rows <= self._rows
            taken, self._waiting = self._waiting[:number], self._waiting[number:]
            return taken

    def _answer(self, taken: list[_Request]) -> None:
        try:
            probes = torch.cat([one.probes for one in taken], 1)
            found = self._find(probes, max(one.top for one in taken))
            sizes = [one.probes.shape[1] for one in taken]
            for one, *parts in zip(taken, *(each.split(sizes) for each in found)):
                distances, places = (each[:, : one.top] for each in parts)
                one.answer.set_result((distances, places))
        except BaseException as error:
            for one in taken:
                one.answer.set_exception(error)
