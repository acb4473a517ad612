"""GaitSet, GaitPart and GaitGL against OpenGait's models and configs: the same sizes, costs and numbers."""

import os
import re
from pathlib import Path

import pytest
import torch
import yaml
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from opengait_meshgait.networks import MeshGaitNet, count_flops

ROOT = os.environ.get("OPENGAIT_ROOT")
pytestmark = pytest.mark.skipif(not ROOT, reason="OPENGAIT_ROOT does not name an OpenGait checkout")

CONFIGS = ["gaitset", "gaitpart", "gaitpart_OUMVLP", "gaitgl", "gaitgl_OUMVLP"]
CLASSES = 9
# OpenGait's names to ours, one after the other.
RENAMED = [
    (r"^Head0?\.", "FCs."),
    (r"^(?!FCs|BNNecks)", "Backbone."),
    (r"TFA\.pooling_func\.conv1d3x(\d)\.(\d+)\.(\d)\.conv", lambda m: f"TFA.{int(m[1]) // 2}.attention.{m[2]}.{m[3]}"),
    (r"(conv3d|LTA)\.(\d)\.conv3d", r"\1.\2"),
    (r"(GLConv\w\d)\.(global|local)", r"\1.0.\2"),
    (r"(global|local)_conv3d\.conv3d", r"\1_conv3d"),
]


@pytest.fixture(params=CONFIGS)
def config(request):
    """A config of OpenGait's; ``model_cfg`` is what its model reads."""
    path = Path(ROOT) / "configs" / request.param.split("_")[0] / f"{request.param}.yaml"
    return yaml.safe_load(path.read_text())


def build_theirs(opengait_model, config):
    """Build the network alone: the constructor wants a GPU and a data set."""
    cls = getattr(opengait_model(config["model_cfg"]["model"].lower()), config["model_cfg"]["model"])
    net = cls.__new__(cls)
    nn.Module.__init__(net)
    net.cfgs = config
    net.build_network(config["model_cfg"])
    return net


def build_ours(config):
    """The same network, as a config of ours says it."""
    cfg = config["model_cfg"]
    if cfg["model"] == "GaitSet":
        backbone = {"channels": cfg["in_channels"][1:]}
    elif cfg["model"] == "GaitPart":
        backbone = {"layers_cfg": cfg["backbone_cfg"]["layers_cfg"]}
    else:
        deep = config["data_cfg"]["dataset_name"] in ("OUMVLP", "GREW")
        backbone = {"channels": cfg["channels"], **({"layers": 2, "halving": 1} if deep else {})}
    return MeshGaitNet(
        {"type": cfg["model"], **backbone},
        {"out_channels": cfg["SeparateFCs"]["out_channels"] if "SeparateFCs" in cfg else cfg["channels"][-1]},
        {"class_num": CLASSES},
        bin_num=cfg.get("bin_num", [64]),
    )


def renamed(key):
    for pattern, ours in RENAMED:
        key = re.sub(pattern, ours, key)
    return key


def run(net, sils):
    """Embeddings and, where there is a classifier, logits."""
    if isinstance(net, MeshGaitNet):
        out = net(sils)
        return out.embeddings, out.logits
    out = net(([sils], [0] * len(sils), None, None, None))
    logits = out["training_feat"].get("softmax", {}).get("logits")
    return out["inference_feat"]["embeddings"], *([] if logits is None else [logits])


def test_sizes_and_costs_agree(opengait_model, config):
    with torch.device("meta"):
        theirs, ours = build_theirs(opengait_model, config).eval(), build_ours(config)
        with FlopCounterMode(display=False) as counter:
            run(theirs, torch.zeros(1, 30, 64, 44))
    parameters, gflops = count_flops(ours)
    # The class head never counts; theirs, where it is of another kind, is taken off as well.
    assert parameters == sum(p.numel() for key, p in theirs.named_parameters() if not key.startswith(("Head1.", "Bn.")))
    # The configs have thousands of classes, ours here nine.
    class_gflops = sum(2 * p.numel() for key, p in theirs.named_parameters() if key.startswith("Head1.")) / 1e9
    assert gflops == pytest.approx(counter.get_total_flops() / 1e9 - class_gflops, rel=1e-3)


def test_the_same_weights_give_the_same_numbers(opengait_model, config):
    cfg = config["model_cfg"]
    if cfg["model"] == "GaitGL":  # with the one of its two heads that is also ours
        cfg["SeparateBNNecks"] = {"class_num": CLASSES, "in_channels": cfg["channels"][-1], "parts_num": 64}
    theirs, ours = build_theirs(opengait_model, config), build_ours(config)
    theirs.init_parameters()
    missing, unexpected = ours.load_state_dict({renamed(k): v for k, v in theirs.state_dict().items()}, strict=False)
    assert not unexpected and all(key.startswith("BNNecks.") for key in missing)
    for training, shape in [(True, (2, 4)), (False, (1, 1)), (False, (1, 2))]:
        sils, results = (torch.rand(*shape, 64, 44) > 0.5).float(), []
        for net in (theirs, ours):
            net.train(training).zero_grad()
            out = run(net, sils)
            out[0].square().sum().backward()
            gradients = [(k, p.grad) for k, p in net.named_parameters() if not k.startswith("BNNecks.")]
            results.append((out, {renamed(k) if net is theirs else k: g for k, g in gradients}))
        (expected, expected_gradients), (found, gradients) = results
        for a, b in zip(found, expected):
            assert b.abs().max() > 1e-6
            torch.testing.assert_close(a, b, atol=1e-4 * b.abs().max().item(), rtol=1e-4)
        for key, b in expected_gradients.items():
            torch.testing.assert_close(gradients.pop(key), b, atol=1e-3 * b.abs().max().item(), rtol=1e-3)
        assert not gradients
