"""A network made ready to recognise: the same features as the network itself, fewer operators, no stop in a graph."""

import pytest
import torch
from torch import nn

from opengait_meshgait.common.configs import CONFIG_NAMES, compose
from opengait_meshgait.networks import make_network
from opengait_meshgait.networks.recognition import Recognition
from tests.operators import GPU, Operators, stand_in, structure

BACKBONES = {
    "ResNet9": {"block": "BasicBlock", "channels": [4, 4, 6, 8], "layers": [1, 1, 1, 1], "maxpool": False},
    "GaitSet": {"channels": [4, 6, 8]},
    "GaitPart": {"layers_cfg": ["BC-4", "M", "FC-6-2", "M", "FC-8-3"]},
    "GaitGL": {"channels": [4, 6, 8]},
    "DeepGaitV2": {"layers": [1, 1, 1, 1], "channels": [4, 4, 6, 8]},
}
SWINGAIT = {"layers": [1, 1, 2, 1], "channels": [3, 4], "embed_dim": 8, "num_heads": [2, 4], "grid": [5, 5]}
KINDS = {"gaitset", "gaitpart", "gaitgl", "deepgaitv2", "swingait"}
LENGTHS = [5, 1, 2, 9]


@pytest.fixture(params=BACKBONES)
def net(request, make_net):
    """A tiny network with an LDA head, whose batch normalisation has seen something."""
    net = make_net(backbone_cfg={"type": request.param, **BACKBONES[request.param]}, bin_num=[4]).eval()
    for module in net.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            for tensor in (module.running_mean, module.weight.data, module.bias.data):
                nn.init.normal_(tensor)
            nn.init.uniform_(module.running_var, 0.5, 2)
    for part in (net.Discriminant.silhouettes, net.Discriminant.fused, net.Discriminant.markers):
        for name in ("components", "basis"):
            nn.init.normal_(getattr(part, name), std=0.1)
        part.fitted = True
    return net


@pytest.fixture
def packed():
    """Four sequences of different lengths, packed, and their lengths."""
    return (torch.rand(1, sum(LENGTHS), 64, 44) > 0.5).float(), torch.tensor([LENGTHS])


@torch.no_grad()
def test_the_features_stay(net, packed):
    sils, lengths = packed
    expected, found = net(sils, lengths), Recognition(net)(sils, lengths)
    alone = [Recognition(net)(one) for one in sils.split(LENGTHS, dim=1)]
    for name in ("embeddings", "lda"):
        scale = getattr(expected, name).abs().max()
        for other in (getattr(found, name), torch.cat([getattr(one, name) for one in alone])):
            torch.testing.assert_close(other / scale, getattr(expected, name) / scale, atol=1e-5, rtol=0)


@torch.no_grad()
def test_single_frames_are_looked_at_some_at_a_time(net, packed, monkeypatch):
    recognition, seen = Recognition(net), []
    for module in recognition.net.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_pre_hook(lambda _, given: seen.append(given[0].numel()))
    whole, largest = recognition(*packed).embeddings, max(seen)
    seen.clear()
    monkeypatch.setattr("opengait_meshgait.networks.chunks.FRAMES_AT_ONCE", 5)
    found = recognition(*packed).embeddings
    torch.testing.assert_close(found / whole.abs().max(), whole / whole.abs().max(), atol=1e-5, rtol=0)
    assert max(seen) * sum(LENGTHS) <= 5 * largest


def test_the_network_itself_stays(net):
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    Recognition(net, torch.bfloat16)
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    assert before.keys() == net.state_dict().keys() and any(parameter.requires_grad for parameter in net.parameters())


@torch.no_grad()
def test_in_16_bits_it_says_nearly_the_same(net, packed):
    expected, found = net(*packed), Recognition(net, torch.bfloat16)(*packed)
    assert found.embeddings.dtype == torch.bfloat16 and found.lda.dtype == torch.float32
    cosine = torch.cosine_similarity(found.embeddings.float().flatten(1), expected.embeddings.flatten(1))
    assert (cosine > 0.999).all()


@torch.no_grad()
@pytest.mark.parametrize("kind", [*BACKBONES, "SwinGait", None])
def test_packed_sequences_are_one_graph(make_net, packed, kind):
    """The backbones one by one; with one of them all that is behind it."""
    cfg = {"type": kind or "ResNet9", **{**BACKBONES, "SwinGait": SWINGAIT}[kind or "ResNet9"]}
    net = make_net(backbone_cfg=cfg, bin_num=[5 if kind == "SwinGait" else 4]).eval()
    sils, lengths = packed
    if kind is None:
        net.Discriminant.silhouettes.fitted = net.Discriminant.markers.fitted = True
    else:
        net, sils = net.Backbone, sils.unsqueeze(2)
    # Frames and sequences alone vary: a compiler that takes every size for a variable thinks for ten times as long.
    torch._dynamo.mark_dynamic(sils, 1)
    torch._dynamo.mark_dynamic(lengths, 1)
    # A backend would compile for minutes, and sees the graph only when there is one.
    compiled = torch.compile(net, fullgraph=True, backend="eager")
    for pack in ((sils, lengths), (torch.cat([sils, sils], 1), torch.tensor([[*LENGTHS, sum(LENGTHS)]]))):
        with torch._dynamo.config.patch(error_on_recompile=pack[0] is not sils):
            expected, found = net(*pack), compiled(*pack)
        if kind is None:
            expected, found = expected.lda, found.lda
        torch.testing.assert_close(found, expected)


def _networks():
    """Shipped configs of all networks with an LDA head: every other has one of these, or leaves a part of it out."""
    found = {}
    for name in CONFIG_NAMES:
        if name.endswith("_lda") and "_silhouette" not in name:
            cfg = compose(name)["model_cfg"]
            cfg["SeparateBNNecks"]["class_num"] = 9
            cfg = {key: value for key, value in cfg.items() if key not in ("body_cfg", "augment_cfg")}
            found.setdefault(str(structure(cfg)), (name, cfg))
    return dict(found.values())


NETWORKS = _networks()


@pytest.mark.parametrize("name", NETWORKS)
def test_a_gpu_is_not_kept_waiting(name):
    with stand_in(), torch.no_grad():
        net = make_network(NETWORKS[name])
        sils, lengths = torch.empty(1, 240, 64, 44), torch.empty(1, 8, dtype=torch.int64)
        counts = []
        for fitted in (False, True):
            net.Discriminant.silhouettes.fitted = net.Discriminant.markers.fitted = fitted
            recognition = Recognition(net)
            with Operators() as operators:
                output = recognition(sils, lengths)
            assert (output.lda is not None) == fitted and output.embeddings.device == GPU
            # In a batch, the lengths come from the processor besides.
            assert len(operators.synchronisations) <= 1
            counts.append(operators.count)
    if "swingait" not in name:
        assert counts[0] <= 350 and counts[1] <= 400, counts
