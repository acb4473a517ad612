"""Checkpoint files: whole and found again."""

import pickle

import pytest
import torch

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.engine.checkpoint import Checkpoints, other_body, run_folder
from opengait_meshgait.engine.config import make_config
from opengait_meshgait.networks import load_checkpoint


@pytest.fixture
def checkpoints(tmp_path):
    """Iterations 5, 10 and 123456 of a run, beside files that are none."""
    checkpoints = Checkpoints(tmp_path / "Run")
    for iteration in (10, 5, 123456):
        checkpoints.save({"model": {"weight": torch.full((2,), float(iteration))}, "iteration": iteration})
    for name in ("Run-latest.pt", "Other-00020.pt", ".Run-00030.pt.99999999.tmp"):
        (checkpoints.folder / name).touch()
    return checkpoints


def test_names_are_openGaits(checkpoints):
    assert checkpoints.path(10).name == "Run-00010.pt"
    assert checkpoints.path(123456).name == "Run-123456.pt"
    assert checkpoints.iterations() == [5, 10, 123456]


def test_folder_is_openGaits(raw):
    raw["evaluator_cfg"]["save_name"] = "Other"
    assert run_folder(make_config(raw), "output", training=True).as_posix() == "output/Tiny/MeshGait/Run"
    assert run_folder(make_config(raw), "output", training=False).as_posix() == "output/Tiny/MeshGait/Other"
    raw["evaluator_cfg"]["save_name"] = None
    assert run_folder(make_config(raw), "output", training=False).as_posix() == "output/Tiny/MeshGait/Run"


def test_half_written_files_are_swept(checkpoints):
    checkpoints.sweep()
    assert not list(checkpoints.folder.glob(".*"))
    assert checkpoints.iterations() == [5, 10, 123456]
    assert (checkpoints.folder / "Other-00020.pt").is_file()


@pytest.mark.parametrize("damage", [b"", b"garbage", "half", "flipped"])
def test_damaged_files_are_passed_over(checkpoints, damage):
    path = checkpoints.path(123456)
    whole = path.read_bytes()
    if damage == "half":
        damage = whole[: len(whole) // 2]
    elif damage == "flipped":
        damage = whole[:-30] + bytes(30)
    path.write_bytes(damage)
    lines = []
    found, state = checkpoints.newest(lines.append)
    assert found == checkpoints.path(10)
    assert state["model"]["weight"].tolist() == [10, 10]
    assert len(lines) == 1
    assert str(path) in lines[0]
    with pytest.raises(UserError, match="damaged or no checkpoint"):
        load_checkpoint(path)


def test_nothing_to_find(tmp_path):
    assert Checkpoints(tmp_path).newest(print) is None
    assert Checkpoints(tmp_path).iterations() == []


def test_missing_iteration_lists_those_there_are(checkpoints):
    with pytest.raises(UserError, match="Iterations saved in that folder: 5, 10, 123456"):
        checkpoints.find(20)


def test_a_failing_save_leaves_the_old_file(checkpoints):
    before = checkpoints.path(10).read_bytes()
    with pytest.raises((AttributeError, pickle.PicklingError, TypeError)):
        checkpoints.save({"model": {"weight": lambda: None}, "iteration": 10})
    assert checkpoints.path(10).read_bytes() == before
    assert not list(checkpoints.folder.glob(".Run-00010*"))


def test_a_full_disk_is_told_as_the_system_tells_it(checkpoints, room):
    before = checkpoints.path(10).read_bytes()
    room(2000)
    with pytest.raises(OSError, match="File too large"):
        checkpoints.save({"model": {"weight": torch.zeros(2000)}, "iteration": 10})
    assert checkpoints.path(10).read_bytes() == before


def test_another_body_is_told():
    ours, other = {"name": "stand-in", "fingerprint": "abc"}, {"name": "mine", "fingerprint": "def"}
    assert other_body({"body": ours}, ours) is None
    assert other_body({}, ours) is None
    assert other_body({"body": ours}, None) is None
    assert "mine" in other_body({"body": ours}, other)
