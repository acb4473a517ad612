"""Two processes with half of the batch each do what one does with the whole batch."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from opengait_meshgait.common.distributed import world_size
from opengait_meshgait.losses.gather import everywhere, gather, mean_over_processes

SCRIPT = Path(__file__).with_name("two_processes.py")
ROOT = SCRIPT.parents[2]


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    """What each of two processes saved."""
    folder = tmp_path_factory.mktemp("gloo")
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    running = [
        subprocess.Popen([sys.executable, SCRIPT, str(rank), "2", folder], env={**os.environ, "PYTHONPATH": path})
        for rank in range(2)
    ]
    try:
        assert [process.wait(timeout=300) for process in running] == [0, 0]
    finally:
        for process in running:
            process.kill()
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


@pytest.fixture(scope="module")
def one():
    return runpy.run_path(str(SCRIPT))["step"](0, 1)


def test_the_processes_have_different_numbers_of_valid_frames(processes, one):
    first, second = (process["valid"] for process in processes)
    assert first != second
    assert first + second == one["valid"]


def test_averaged_gradients_equal_those_of_one_process(processes, one):
    for name, gradient in one["gradients"].items():
        assert gradient.abs().max() > 0
        for process in processes:
            torch.testing.assert_close(process["gradients"][name], gradient, atol=1e-6, rtol=1e-5, msg=name)


def test_mean_of_what_the_processes_log_is_what_one_logs(processes, one):
    first, second = (process["logged"] for process in processes)
    for name, value in one["logged"].items():
        torch.testing.assert_close((first[name] + second[name]) / 2, value, atol=1e-5, rtol=1e-5, msg=name)


def test_all_processes_stop_at_a_nan_of_one(processes):
    assert [process["spoilt"][0] for process in processes] == ["joint", "joint"]
    assert "is not finite in another process" in processes[0]["spoilt"][1]
    assert "is nan" in processes[1]["spoilt"][1]


def test_no_ops_in_one_process():
    own = torch.randn(3, 2, requires_grad=True)
    assert world_size() == 1
    assert gather(own) is own
    assert mean_over_processes(torch.tensor(3)).item() == 3
    assert everywhere(torch.tensor([True, False])).tolist() == [True, False]
