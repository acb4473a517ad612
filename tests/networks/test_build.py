"""Files of weights: only what fits enters a network. Its costs against published and hand-counted figures."""

import os
from collections import OrderedDict

import pytest
import torch
from torch import nn

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.networks import (
    MeshGaitNet,
    count_flops,
    fitting_weights,
    load_checkpoint,
    load_weights,
    make_network,
)


class _Harmful:
    def __reduce__(self):
        return os.mkdir, ("harmed",)


def test_no_code_is_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"model": {}, "extra": _Harmful()}, "harmful.pt")
    with pytest.raises(UserError, match="damaged or no checkpoint: it holds an object of .*mkdir") as error:
        load_checkpoint("harmful.pt")
    # PyTorch's own message says how to run it all the same.
    assert "weights_only" not in str(error.value) and "trust" not in str(error.value)
    assert not (tmp_path / "harmed").exists()


@pytest.mark.parametrize("content", [{"weights": {}}, [1], {"model": 3}])
def test_other_content(tmp_path, content):
    torch.save(content, tmp_path / "x.pt")
    with pytest.raises(UserError, match="no weights under 'model'"):
        load_checkpoint(tmp_path / "x.pt")
    with pytest.raises(UserError, match=r"y.pt is missing. .* has x.pt."):
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
        load_weights(net, given, strict=True, source="x.pt")
    before = net[0].weight.clone()
    left_out = load_weights(net, given, strict=False, source="x.pt")
    assert left_out == ["0.weight: [4, 2] in the file, [3, 2] in the network"] and torch.equal(net[0].weight, before)
    given = {"model": {k: v for k, v in net.state_dict().items() if k != "1.bias"} | {"2.bias": torch.zeros(1)}}
    with pytest.raises(UserError, match=r"1.bias: not in the file\n  2.bias: not in the network"):
        load_weights(net, given, strict=True, source="x.pt")
    given["model"]["0.bias"] = torch.full((3,), 7.0)
    assert load_weights(net, given, strict=False, source="x.pt") == [
        "1.bias: not in the file",
        "2.bias: not in the network",
    ]
    assert net[0].bias.tolist() == [7, 7, 7]


def test_of_an_lda_head_all_fits_or_nothing():
    own = {"FCs.w": torch.zeros(2), "Discriminant.mean": torch.zeros(3), "Discriminant.basis": torch.zeros(3, 2)}
    given = {"FCs.w": torch.ones(2), "Discriminant.mean": torch.ones(3), "Discriminant.basis": torch.ones(3, 4)}
    assert [*fitting_weights(own, given)[0]] == ["FCs.w"]
    assert [*fitting_weights(own, {**given, "Discriminant.basis": torch.ones(3, 2)})[0]] == [*own]


def test_another_lda_head_alone_is_to_be_fitted_anew():
    net = nn.ModuleDict({"Discriminant": nn.Linear(2, 3)})
    with pytest.raises(UserError, match=r"(?s)Discriminant.bias: not.*meshgait lda --ckpt x.pt --out NEW.pt"):
        load_weights(net, {"model": {"Discriminant.weight": torch.zeros(3, 2)}}, strict=True, source="x.pt")


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


GAITBASE = {
    "type": "ResNet9",
    "block": "BasicBlock",
    "channels": [64, 128, 256, 512],
    "layers": [1, 1, 1, 1],
    "strides": [1, 2, 2, 1],
    "maxpool": False,
}


def test_gaitbase_costs_what_it_is_known_to_cost():
    net = MeshGaitNet(GAITBASE, {"out_channels": 256}, {"class_num": 10})
    parameters, gflops = count_flops(net, frames=30)
    assert abs(parameters / 7.00e6 - 1) < 0.01
    assert round(gflops, 1) == 70.7


def test_the_class_head_does_not_count(make_net):
    few, many = make_net(SeparateBNNecks={"class_num": 2}), make_net(SeparateBNNecks={"class_num": 200})
    assert count_flops(few, frames=2)[0] == count_flops(many, frames=2)[0]


def test_one_convolution_by_hand(make_net):
    net = make_net(
        backbone_cfg={"type": "Plain", "layers_cfg": ["BC-3"]},
        bin_num=[1],
        heatmap_cfg=None,
        SeparateFCs={"out_channels": 2},
        SeparateBNNecks={"class_num": 7},
    )
    parameters, gflops = count_flops(net, frames=5, height=8, width=6)
    assert parameters == 3 * 25 + 3 * 2
    assert gflops * 1e9 == 2 * (5 * 8 * 6 * 3 * 25 + 3 * 2 + 2 * 7)


def test_attention_is_counted(make_net):
    """Larger windows cost nothing but attention's own matrix products."""
    cfg = {"type": "SwinGait", "layers": [1, 1, 1, 1], "channels": [2, 2], "embed_dim": 4, "num_heads": [1, 2]}
    counts = {}
    for window in ((1, 2, 2), (1, 4, 4)):
        net = make_net(backbone_cfg={**cfg, "grid": [4, 4], "window_size": window}, bin_num=[4], heatmap_cfg=None)
        counts[window] = count_flops(net, frames=3)[1] * 1e9
    # Each of 3 * 16 tokens meets 12 more, twice (queries with keys, weights with values), in 4 and in 8 channels.
    assert round(counts[1, 4, 4] - counts[1, 2, 2]) == 2 * 2 * 3 * 16 * 12 * (4 + 8)


def test_counting_changes_nothing(make_net):
    net = make_net()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    count_flops(net, frames=2)
    assert net.training
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())
