"""Costs against published and hand-counted figures."""

import torch

from opengait_meshgait.networks import MeshGaitNet, count_flops

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
