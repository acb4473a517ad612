"""Requests of several threads, answered together."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
import torch

from opengait_meshgait.inference.requests import RequestQueue


def sums(probes, top):
    """Of probes [p, b, c] the sums, times 1, 2, …, k; and k everywhere."""
    found = probes.sum((0, 2))[:, None] * torch.arange(1, top + 1)
    return found, torch.full_like(found, top)


class Waiting:
    """Answers with :func:`sums`, the first time not before it is told to."""

    def __init__(self):
        self.sizes, self.begun, self.go = [], Event(), Event()

    def __call__(self, probes, top):
        self.sizes.append((probes.shape[1], top))
        self.begun.set()
        assert self.go.wait(10)
        if probes.isnan().any():
            raise ArithmeticError("one of them is NaN")
        return sums(probes, top)


def ask_while_one_is_answered(find, requests, rows=10):
    """Ask for the first, then for all others one after the other while it is being answered; all futures."""
    queue = RequestQueue(find, rows, turns=1)
    with ThreadPoolExecutor(len(requests)) as pool:
        asked = [pool.submit(queue.ask, *requests[0])]
        assert find.begun.wait(10)
        for number, request in enumerate(requests[1:], 1):
            asked.append(pool.submit(queue.ask, *request))
            until = time.monotonic() + 10
            while len(queue._waiting) < number and time.monotonic() < until:
                time.sleep(0.001)
        find.go.set()
    return asked


def test_what_waits_is_answered_together_and_each_gets_its_own():
    find = Waiting()
    requests = [(torch.randn(2, size, 3), top) for size, top in [(3, 2), (4, 5), (5, 1), (2, 3), (12, 2), (1, 2)]]
    asked = ask_while_one_is_answered(find, requests)
    for (probes, top), one in zip(requests, asked):
        distances, places = one.result()
        torch.testing.assert_close(distances, sums(probes, top)[0])
        assert places.shape == distances.shape == (probes.shape[1], top)
    # At most ten at once, but those of one request stay together.
    assert find.sizes == [(3, 2), (9, 5), (2, 3), (12, 2), (1, 2)]


def test_a_failure_is_that_of_all_who_were_answered_together_and_of_nobody_else():
    find = Waiting()
    good, bad = (torch.ones(1, 2, 1), 1), (torch.full((1, 2, 1), torch.nan), 1)
    asked = ask_while_one_is_answered(find, [good, good, bad, good], rows=4)
    for number in (1, 2):
        with pytest.raises(ArithmeticError, match="one of them"):
            asked[number].result()
    for number in (0, 3):
        assert asked[number].result()[0].tolist() == [[1], [1]]
