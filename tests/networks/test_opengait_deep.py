"""DeepGaitV2 and SwinGait against OpenGait's own classes: the same weights, numbers, parameters and costs."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from opengait_meshgait.networks import MeshGaitNet, count_flops, windows

ROOT = os.environ.get("OPENGAIT_ROOT")
pytestmark = pytest.mark.skipif(not ROOT, reason="OPENGAIT_ROOT does not name an OpenGait checkout")

DEEP_SMALL = {"in_channels": 1, "layers": [1, 2, 2, 1], "channels": [4, 6, 8, 10]}
SWIN_SMALL = {"in_channels": 1, "layers": [1, 2, 2, 2], "channels": [4, 6]}


@pytest.fixture
def opengait(opengait_model):
    """OpenGait's two classes."""
    return SimpleNamespace(
        DeepGaitV2=opengait_model("deepgaitv2").DeepGaitV2, SwinGait=opengait_model("swingait").SwinGait
    )


def _theirs(model, model_cfg):
    """Build the network alone: the constructor wants a GPU and a data set."""
    net = model.__new__(model)
    nn.Module.__init__(net)
    net.build_network(model_cfg)
    return net


def _ours(name, backbone, bins, class_num):
    return MeshGaitNet({"type": name, **backbone}, {"out_channels": 256}, {"class_num": class_num}, [bins])


def _run(net, sils, seqL=None):
    out = net(([sils], None, None, None, seqL))
    return out["inference_feat"]["embeddings"], out["training_feat"]["softmax"]["logits"]


def _shake(net):
    """Statistics and biases that differ from their initial zeros and ones."""
    for name, value in net.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 1.5)
        elif value.dim() == 1 and value.is_floating_point():
            value.add_(0.1 * torch.randn_like(value))


def _published(config):
    return yaml.safe_load((Path(ROOT) / "configs" / config).read_text(encoding="utf-8"))["model_cfg"]


def _their_cost(net, unused=0):
    parameters = sum(p.numel() for name, p in net.named_parameters() if not name.startswith("BNNecks."))
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        _run(net.eval(), torch.zeros(1, 30, 64, 44))
    return parameters - unused, counter.get_total_flops() / 1e9


@pytest.mark.parametrize("mode", ["2d", "3d", "p3d"])
def test_deepgaitv2_gives_the_same(opengait, mode):
    backbone = {**DEEP_SMALL, "mode": mode}
    theirs = _theirs(opengait.DeepGaitV2, {"Backbone": backbone, "SeparateBNNecks": {"class_num": 5}})
    ours = MeshGaitNet({"type": "DeepGaitV2", **backbone}, {"out_channels": 8}, {"class_num": 5})
    _shake(ours)
    theirs.load_state_dict({k.removeprefix("Backbone."): v for k, v in ours.state_dict().items()}, strict=True)
    for training, frames in [(True, 4), (False, 1), (False, 5)]:
        ours.train(training), theirs.train(training)
        sils = (torch.rand(3, frames, 64, 44) > 0.5).float()
        found = ours(sils)
        expected = _run(theirs, sils)
        torch.testing.assert_close((found.embeddings, found.logits), expected, atol=1e-4, rtol=1e-4)
        (found.embeddings.square().mean() + found.logits.square().mean()).backward()
        (expected[0].square().mean() + expected[1].square().mean()).backward()
        gradients = {f"Backbone.{k}" if k.startswith("layer") else k: p.grad for k, p in theirs.named_parameters()}
        for name, parameter in ours.named_parameters():
            torch.testing.assert_close(parameter.grad, gradients[name], atol=1e-4, rtol=1e-3, msg=name)
        ours.zero_grad(), theirs.zero_grad()


def _swins(opengait, backbone=SWIN_SMALL):
    """OpenGait's network and ours, without weights in common; theirs has 16 heads for 15 strips."""
    necks = {"in_channels": 256, "class_num": 5, "parts_num": 16}
    theirs = _theirs(opengait.SwinGait, {"Backbone": backbone, "bin_num": [15], "SeparateBNNecks": necks})
    return _ours("SwinGait", backbone, 15, 5), theirs


def _to_swin(state):
    """Their keys and shapes to ours: no position indices, and no sixteenth part."""
    ours = {}
    for name, value in state.items():
        if name.endswith("relative_position_index"):
            continue
        if name.startswith(("FCs.fc_bin", "BNNecks.fc_bin")):
            value = value[:15]
        elif name.startswith("BNNecks.bn1d") and value.dim():
            value = value.view(256, 16)[:, :15].flatten()
        ours[name if name.startswith(("FCs", "BNNecks")) else f"Backbone.{name}"] = value
    return ours


@pytest.mark.parametrize("frames", [1, 2, 6])
def test_swingait_gives_the_same(opengait, frames):
    ours, theirs = _swins(opengait)
    _shake(theirs)
    ours.load_state_dict(_to_swin(theirs.state_dict()), strict=True)
    ours.eval(), theirs.eval()
    sils = (torch.rand(1, frames, 64, 44) > 0.5).float()
    found, expected = ours(sils), _run(theirs, sils)
    torch.testing.assert_close((found.embeddings, found.logits), expected, atol=1e-4, rtol=1e-4)
    found.embeddings.square().mean().backward()
    expected[0].square().mean().backward()
    gradients = {f"Backbone.{k}": p.grad for k, p in theirs.named_parameters() if k.startswith(("layer", "trans"))}
    for name, parameter in ours.Backbone.named_parameters(prefix="Backbone"):
        torch.testing.assert_close(parameter.grad, gradients[name], atol=1e-4, rtol=1e-3, msg=name)


@torch.no_grad()
def test_swingait_differs_by_masked_padding_alone(opengait, monkeypatch):
    ours, theirs = _swins(opengait)
    _shake(theirs)
    ours.load_state_dict(_to_swin(theirs.state_dict()), strict=True)
    ours.eval(), theirs.eval()
    sils = (torch.rand(1, 5, 64, 44) > 0.5).float()
    expected = _run(theirs, sils)[0]
    assert not torch.allclose(ours(sils).embeddings, expected, atol=1e-2)
    # A map that ends where its padding ends has nothing to mask.
    sides = windows._sides
    monkeypatch.setattr(windows, "_sides", lambda extent, padded, *rest: sides(padded, padded, *rest))
    torch.testing.assert_close(ours(sils).embeddings, expected, atol=1e-4, rtol=1e-4)


DEEP_CONFIGS = ["DeepGaitV2_gait3d.yaml", "DeepGaitV2_casiab.yaml"]


@pytest.mark.parametrize("mode", ["2d", "3d", "p3d"])
@pytest.mark.parametrize("config", DEEP_CONFIGS)
def test_deepgaitv2_costs_the_same(opengait, config, mode):
    cfg = _published(f"deepgaitv2/{config}")
    cfg["Backbone"]["mode"] = mode
    with torch.device("meta"):
        theirs = _their_cost(_theirs(opengait.DeepGaitV2, cfg))
        ours = count_flops(_ours("DeepGaitV2", cfg["Backbone"], 16, cfg["SeparateBNNecks"]["class_num"]))
    assert ours == pytest.approx(theirs, rel=1e-6)


@pytest.mark.parametrize("config", ["swingait3D_B1442C2_Gait3D.yaml", "swingait3D_B1122C2_CCPG.yaml"])
def test_swingait_costs_the_same(opengait, config):
    cfg = _published(f"swingait/{config}")
    backbone = {k: v for k, v in cfg["Backbone"].items() if k != "mode"}
    unused = 512 * 256  # the sixteenth part, whose results OpenGait throws away
    theirs = _theirs(opengait.SwinGait, cfg).to("meta")
    with torch.device("meta"):
        theirs = _their_cost(theirs, unused)
        ours = count_flops(_ours("SwinGait", backbone, 15, cfg["SeparateBNNecks"]["class_num"]))
    assert ours[0] == theirs[0]
    assert ours[1] == pytest.approx(theirs[1], rel=1e-3)
