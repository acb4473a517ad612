"""Files of weights: harmless, and only what fits enters a network."""

import os
from collections import OrderedDict

import pytest
import torch
from torch import nn

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.networks import load_checkpoint, load_weights, make_network


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


def test_a_network_needs_its_keys():
    with pytest.raises(UserError, match="lacks backbone_cfg, SeparateBNNecks.*Found: SeparateFCs, model"):
        make_network({"SeparateFCs": {"out_channels": 8}, "model": "MeshGait"})


def test_keys_of_the_trainer_are_passed_over():
    cfg = {
        "model": "MeshGait",
        "backbone_cfg": {"type": "Plain", "layers_cfg": ["BC-4", "M", "BC-8", "M"]},
        "SeparateFCs": {"out_channels": 8, "in_channels": None},
        "SeparateBNNecks": {"class_num": 3},
        "bin_num": [4],
        "heatmap_cfg": None,
        "body_cfg": {"body": None},
    }
    assert make_network(cfg).eval()(torch.rand(1, 4, 64, 44)).embeddings.shape == (1, 8, 4)
