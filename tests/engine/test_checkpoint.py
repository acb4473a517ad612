"""Checkpoint files: whole, found again, harmless, and free of bodies."""

import os
import pickle
from collections import OrderedDict

import pytest
import torch
from torch import nn

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.engine.checkpoint import Checkpoints, load_checkpoint, load_weights, other_body, run_folder
from opengait_meshgait.engine.config import make_config


@pytest.fixture
def checkpoints(tmp_path):
    """Iterations 5, 10 and 123456 of a run, beside files that are none."""
    checkpoints = Checkpoints(tmp_path / "Run")
    for iteration in (10, 5, 123456):
        checkpoints.save({"model": {"weight": torch.full((2,), float(iteration))}, "iteration": iteration})
    for name in ("Run-latest.pt", "Other-00020.pt", ".Run-00030.pt.17.tmp"):
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


class _Harmful:
    def __reduce__(self):
        return os.mkdir, ("harmed",)


def test_no_code_is_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"model": {}, "extra": _Harmful()}, "harmful.pt")
    with pytest.raises(UserError, match="damaged or no checkpoint"):
        load_checkpoint("harmful.pt")
    assert not (tmp_path / "harmed").exists()


@pytest.mark.parametrize("content", [{"weights": {}}, [1], {"model": 3}])
def test_other_content(tmp_path, content):
    torch.save(content, tmp_path / "x.pt")
    with pytest.raises(UserError, match="no weights under 'model'"):
        load_checkpoint(tmp_path / "x.pt")
    with pytest.raises(UserError, match="is missing"):
        load_checkpoint(tmp_path / "y.pt")


def test_checkpoints_of_openGait_are_read(tmp_path):
    """They hold an OrderedDict of weights and states of torch's classes, with a Counter of milestones."""
    net = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    net(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    for scheduler in (
        torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 3, 5]),
        torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, 10),
    ):
        state = {"model": OrderedDict(net.state_dict()), "optimizer": optimizer.state_dict(), "iteration": 7}
        torch.save(state | {"scheduler": scheduler.state_dict()}, tmp_path / "x.pt")
        scheduler.load_state_dict(load_checkpoint(tmp_path / "x.pt")["scheduler"])


def test_weights_must_fit():
    net = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 2))
    given = {"model": {**net.state_dict(), "0.weight": torch.zeros(4, 2)}}
    with pytest.raises(UserError, match=r"0.weight: \[4, 2\] in the file, \[3, 2\] in the network"):
        load_weights(net, given, strict=False, source="x.pt")
    given = {"model": {k: v for k, v in net.state_dict().items() if k != "1.bias"} | {"2.bias": torch.zeros(1)}}
    with pytest.raises(UserError, match=r"1.bias: not in the file\n  2.bias: not in the network"):
        load_weights(net, given, strict=True, source="x.pt")
    given["model"]["0.bias"] = torch.full((3,), 7.0)
    assert load_weights(net, given, strict=False, source="x.pt") == ["1.bias", "2.bias"]
    assert net[0].bias.tolist() == [7, 7, 7]


def test_another_body_is_told():
    ours, other = {"name": "stand-in", "fingerprint": "abc"}, {"name": "mine", "fingerprint": "def"}
    assert other_body({"body": ours}, ours) is None
    assert other_body({}, ours) is None
    assert other_body({"body": ours}, None) is None
    assert "mine" in other_body({"body": ours}, other)
