"""Interleaved measurements: order, processes of their own, and what goes wrong in them."""

import os
import time

import pytest
import torch

from opengait_meshgait.benchmark.interleaved import Entrant, Measured, Measurement, Workload, measure_interleaved
from opengait_meshgait.common.errors import UserError

CPU = torch.device("cpu")


def sleeper(log, name, seconds):
    """Somebody who writes down each turn, and who he is."""

    def work():
        with log.open("a") as file:
            file.write(name)
        time.sleep(seconds)
        return os.getpid()

    return Workload({"pid": os.getpid()}, {"work": work, "twice": work}, CPU, calls={"twice": 2})


def mistaken():
    raise UserError("there is no such thing")


def broken():
    raise ZeroDivisionError("in the dark")


def dying():
    return Workload({}, {"work": lambda: os._exit(3)}, CPU)


def test_everyone_has_his_turns_in_a_process_of_his_own(tmp_path):
    log = tmp_path / "log"
    entrants = [Entrant(name, sleeper, (log, name, 0.01)) for name in "AB"]
    a, b = measure_interleaved(entrants, rounds=2, warm_up=1)
    assert log.read_text() == "AAABBB" * 3
    assert len({os.getpid(), a.facts["pid"], b.facts["pid"]}) == 3
    for one in (a, b):
        assert {task: len(turns) for task, turns in one.rounds.items()} == {"work": 2, "twice": 2}
        for turn in one.rounds["twice"]:
            assert turn.value == one.facts["pid"]
            # Of one call.
            assert turn.seconds >= 0.01 and turn.processor_seconds < 0.01 and turn.peak_bytes > 2**20


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (mistaken, UserError, "B: there is no such thing"),
        (broken, RuntimeError, "ZeroDivisionError: in the dark"),
        (dying, UserError, "The process of B died"),
    ],
)
def test_what_goes_wrong_there_is_told_here(build, error, message):
    with pytest.raises(error, match=message):
        measure_interleaved([Entrant("B", build, ())], rounds=1)


def test_the_ratio_is_taken_round_by_round():
    first = Measured(
        "first", {}, {"work": [Measurement(1.0, 1.0, 0), Measurement(10.0, 1.0, 0), Measurement(2.0, 1.0, 0)]}
    )
    other = Measured(
        "other", {}, {"work": [Measurement(2.0, 5.0, 0), Measurement(20.0, 6.0, 0), Measurement(4.0, 7.0, 0)]}
    )
    assert other.ratio(first, "work") == 2.0
    assert other.median("work") == 4.0
    assert other.ratio(first, "work", "processor_seconds") == 6.0
