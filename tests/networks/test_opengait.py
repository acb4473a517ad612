"""The same weights give the same numbers in OpenGait's own modules."""

import importlib
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from opengait_meshgait.networks import MeshGaitNet
from opengait_meshgait.networks.backbones import Plain, ResNet9
from opengait_meshgait.networks.layers import HorizontalPooling, PackSequence, SeparateBNNecks, SeparateFCs

ROOT = os.environ.get("OPENGAIT_ROOT")
pytestmark = pytest.mark.skipif(not ROOT, reason="OPENGAIT_ROOT does not name an OpenGait checkout")

RESNETS = [
    {"block": "BasicBlock", "channels": [4, 6, 8, 8], "layers": [1, 1, 1, 1], "maxpool": False},
    {"block": "BasicBlock", "channels": [4, 4, 6, 8], "layers": [2, 1, 3, 0], "strides": [1, 2, 1, 1]},
    {"block": "Bottleneck", "channels": [2, 3, 4, 4], "layers": [1, 2, 1, 1], "strides": [1, 2, 2, 1]},
]
PLAIN = {"layers_cfg": ["BC-4", "BC-4", "M", "FC-6-1", "FC-6-3", "M", "BC-8"]}


@pytest.fixture(scope="module")
def opengait(torchvision_operators):
    """OpenGait's modules."""
    sys.path.insert(0, str(Path(ROOT) / "opengait"))
    try:
        pytest.importorskip("torchvision", exc_type=Exception)
        modules = importlib.import_module("modeling.modules")
        resnet = importlib.import_module("modeling.backbones.resnet")
        plain = importlib.import_module("modeling.backbones.plain")
        yield SimpleNamespace(modules=modules, ResNet9=resnet.ResNet9, Plain=plain.Plain)
    finally:
        sys.path.pop(0)


def _same(ours, theirs, *inputs, shape=None):
    """Copy the weights strictly, then compare outputs and gradients in training, and outputs in evaluation."""
    theirs.load_state_dict(ours.state_dict(), strict=True)
    for training in (True, False):
        results = []
        for module in (ours, theirs):
            module.train(training)
            leaves = [x.clone().requires_grad_() for x in inputs]
            out = module(*leaves)
            out = out if isinstance(out, tuple) else (out,)
            sum(o.square().sum() for o in out).backward()
            results.append([*out, *(x.grad for x in leaves), *(p.grad for p in module.parameters())])
            module.zero_grad()
        for a, b in zip(*results, strict=True):
            torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("cfg", RESNETS)
def test_resnet9(opengait, cfg):
    _same(ResNet9(**cfg), opengait.ResNet9(**cfg), torch.rand(3, 1, 64, 44))


@pytest.mark.parametrize("in_channels", [1, 2])
def test_plain(opengait, in_channels):
    ours, theirs = Plain(**PLAIN, in_channels=in_channels), opengait.Plain(**PLAIN, in_channels=in_channels)
    _same(ours, theirs, torch.rand(3, in_channels, 64, 44))


@pytest.mark.parametrize("norm", [False, True])
def test_separate_fcs(opengait, norm):
    _same(SeparateFCs(4, 6, 5, norm), opengait.modules.SeparateFCs(4, 6, 5, norm), torch.randn(3, 6, 4))


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("parallel", [False, True])
def test_separate_bnnecks(opengait, norm, parallel):
    arguments = {"parts_num": 4, "in_channels": 6, "class_num": 5, "norm": norm, "parallel_BN1d": parallel}
    ours, theirs = SeparateBNNecks(**arguments), opengait.modules.SeparateBNNecks(**arguments)
    _same(ours, theirs, torch.randn(8, 6, 4))


@pytest.mark.parametrize("bins", [None, [16], [8, 4, 1]])
def test_horizontal_pooling(opengait, bins):
    x = torch.randn(2, 3, 16, 11)
    ours = HorizontalPooling() if bins is None else HorizontalPooling(bins)
    torch.testing.assert_close(ours(x), opengait.modules.HorizontalPoolingPyramid(bins)(x))


@pytest.mark.parametrize("lengths", [None, [[3, 1, 4]]])
def test_packed_pooling(opengait, lengths):
    x = torch.randn(1, 8, 5, 4, 3)
    seqL = None if lengths is None else torch.tensor(lengths)
    theirs = opengait.modules.PackSequenceWrapper(torch.max)(x.transpose(1, 2), seqL, options={"dim": 2})[0]
    assert torch.equal(PackSequence()(x, seqL), theirs)


class _GaitBase(nn.Module):
    """GaitBase put together from OpenGait's modules (its own class wants a GPU and a data set)."""

    def __init__(self, opengait, backbone_cfg, SeparateFCs, SeparateBNNecks, bin_num):
        super().__init__()
        modules = opengait.modules
        self.Backbone = modules.SetBlockWrapper(opengait.ResNet9(**backbone_cfg))
        self.FCs = modules.SeparateFCs(**SeparateFCs)
        self.BNNecks = modules.SeparateBNNecks(**SeparateBNNecks)
        self.TP = modules.PackSequenceWrapper(torch.max)
        self.HPP = modules.HorizontalPoolingPyramid(bin_num)

    def forward(self, sils, seqL=None):
        features = self.TP(self.Backbone(sils.unsqueeze(1)), seqL, options={"dim": 2})[0]
        embeddings = self.FCs(self.HPP(features))
        return embeddings, self.BNNecks(embeddings)[1]


def test_a_gaitbase_checkpoint_runs_in_both(opengait):
    cfg = {
        "backbone_cfg": RESNETS[0],
        "SeparateFCs": {"in_channels": 8, "out_channels": 6, "parts_num": 16},
        "SeparateBNNecks": {"in_channels": 6, "class_num": 4, "parts_num": 16},
        "bin_num": [16],
    }
    theirs = _GaitBase(opengait, **cfg)
    ours = MeshGaitNet(**{**cfg, "backbone_cfg": {"type": "ResNet9", **RESNETS[0]}})
    theirs(torch.rand(4, 3, 64, 44))
    ours.load_state_dict(theirs.state_dict(), strict=True)
    theirs.eval(), ours.eval()
    for sils, seqL in [(torch.rand(2, 5, 64, 44), None), (torch.rand(1, 7, 64, 44), torch.tensor([[3, 4]]))]:
        found = ours(sils, seqL)
        for a, b in zip((found.embeddings, found.logits), theirs(sils, seqL)):
            torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)
