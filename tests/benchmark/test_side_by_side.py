"""Several trainings at once: who runs when, on how many threads, and what becomes of them when one fails."""

import multiprocessing
import os
import sys
import time
from pathlib import Path

import cv2
import pytest
import torch

from opengait_meshgait.benchmark import side_by_side
from opengait_meshgait.benchmark.side_by_side import Training, run_trainings
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.interruption import Interruptible, Stopped


def training(function, *arguments, folder, name="one"):
    return Training(name, function, arguments, frozenset([folder / name]), folder / f"{name}.log")


def threads() -> dict:
    print("hello", file=sys.stderr)
    return {"threads": torch.get_num_threads(), "process": os.getpid()}


def mistake(others: Path) -> dict:
    while not others.exists():
        time.sleep(0.01)
    raise UserError(f"a loss became NaN on {torch.get_num_threads()} threads")


def saves_when_stopped(began: Path, saved: Path) -> dict:
    try:
        with Interruptible():
            began.touch()
            time.sleep(60)
    except Stopped:
        saved.touch()
        raise
    return {}


def test_it_has_its_threads_and_a_log(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(side_by_side, "end_with_parent", lambda number: None)
    before = torch.get_num_threads(), cv2.getNumThreads()
    here, there = multiprocessing.Pipe(duplex=False)
    try:
        side_by_side._train(there, 2, training(threads, folder=tmp_path / "logs"))
        assert cv2.getNumThreads() == 2
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])
    assert here.recv() == ("fine", {"threads": 2, "process": os.getpid()})
    assert (tmp_path / "logs" / "one.log").read_text() == "hello\n"
    assert capsys.readouterr().err == ""


def test_one_at_a_time_is_in_this_process(tmp_path, capsys):
    ((number, found),) = run_trainings([training(threads, folder=tmp_path)], 1)
    assert (number, found["process"]) == (0, os.getpid())
    assert capsys.readouterr().err == "== one (run 1 of 1)\nhello\n"


def test_two_never_fill_one_folder():
    here, there = frozenset([Path("here")]), frozenset([Path("there"), Path("first")])
    one, same, other, before = (
        Training(name, threads, (), folders, Path("log"))
        for name, folders in (("one", here), ("same", here), ("other", there), ("before", frozenset([Path("first")])))
    )
    waiting = [*enumerate([same, before, other])]
    assert side_by_side._next(waiting, []) == (0, same)
    assert side_by_side._next(waiting, [one]) == (1, before)
    assert side_by_side._next(waiting, [one, other]) is None
    assert side_by_side._next([], []) is None


def test_what_is_read_is_written_before(tmp_path):
    before = Training("before", threads, (), frozenset([tmp_path]), Path("log"))
    readers = [
        Training(name, threads, (), frozenset([Path(name)]), Path("log"), frozenset([tmp_path])) for name in ("a", "b")
    ]
    assert side_by_side._next([*enumerate([before, *readers])], []) == (0, before)
    assert side_by_side._next([*enumerate(readers)], [before]) is None
    assert side_by_side._next([*enumerate(readers[1:])], readers[:1]) == (0, readers[1])
    assert side_by_side._next([(0, before)], readers[:1]) is None


def test_where_one_fails_the_others_save_and_end(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 5)
    began, saved = tmp_path / "began", tmp_path / "saved"
    trainings = [
        training(saves_when_stopped, began, saved, folder=tmp_path, name="long"),
        training(mistake, began, folder=tmp_path, name="wrong"),
    ]
    with pytest.raises(UserError, match="wrong: a loss became NaN on 2 threads"):
        [*run_trainings(trainings, 2)]
    assert saved.exists()
    assert capsys.readouterr().err.splitlines()[1] == f"== wrong (run 2 of 2): {tmp_path / 'wrong.log'}"


def test_what_a_process_tells(tmp_path):
    one = training(threads, folder=tmp_path)
    for kind, error, message in (
        ("mistake", UserError, "one: too few"),
        ("failure", RuntimeError, "one failed:\ntoo few"),
        (None, UserError, r"The process of one died.*one\.log.*fewer --jobs"),
    ):
        here, there = multiprocessing.Pipe(duplex=False)
        if kind is not None:
            there.send((kind, "too few"))
        there.close()
        with pytest.raises(error, match=message):
            side_by_side._receive(here, one)
