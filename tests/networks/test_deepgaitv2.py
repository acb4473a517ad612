"""DeepGaitV2: its blocks by hand, what its frames see of each other, and the whole network around it."""

import pytest
import torch
import torch.nn.functional as F

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.networks import MeshGaitNet, count_flops
from opengait_meshgait.networks.backbones import DeepGaitV2
from opengait_meshgait.networks.blocks import BasicBlock3D, BasicBlockP3D

MODES = ["2d", "3d", "p3d"]
SMALL = {"layers": [1, 2, 1, 1], "channels": [3, 4, 6, 8]}


def _norm(x, bn):
    axes = [0, *range(2, x.dim())]
    mean, var = x.mean(axes, keepdim=True), x.var(axes, unbiased=False, keepdim=True)
    shape = [1, -1] + [1] * (x.dim() - 2)
    return (x - mean) / (var + bn.eps).sqrt() * bn.weight.view(shape) + bn.bias.view(shape)


def _scaled(block):
    """Normalisations that do not look like their initial state."""
    for parameter in block.parameters():
        if parameter.dim() == 1:
            torch.nn.init.normal_(parameter, 0.5, 0.5)
    return block


def test_a_3d_block_is_two_convolutions_over_space_and_time():
    block, x = _scaled(BasicBlock3D(3, 5, stride=2)), torch.randn(2, 4, 3, 8, 6)
    z = x.transpose(1, 2)
    y = F.relu(_norm(F.conv3d(z, block.conv1.weight, stride=(1, 2, 2), padding=1), block.bn1))
    y = _norm(F.conv3d(y, block.conv2.weight, padding=1), block.bn2)
    y = y + _norm(F.conv3d(z, block.downsample[0].weight, stride=(1, 2, 2)), block.downsample[1])
    torch.testing.assert_close(block(x), F.relu(y).transpose(1, 2), atol=1e-5, rtol=1e-5)


def test_a_pseudo_3d_block_looks_at_the_plane_and_time_in_turn():
    block, x = _scaled(BasicBlockP3D(3, 5, stride=2)), torch.randn(2, 4, 3, 8, 6)
    (conv1, bn1, _), (conv2, bn2) = block.conv1.forward_block, block.conv2.forward_block
    z = x.transpose(1, 2)
    y = F.relu(_norm(F.conv3d(z, conv1.weight.unsqueeze(2), stride=(1, 2, 2), padding=(0, 1, 1)), bn1))
    y = F.relu(y + _norm(F.conv3d(y, block.shortcut3d.weight, padding=(1, 0, 0)), block.sbn))
    y = _norm(F.conv3d(y, conv2.weight.unsqueeze(2), padding=(0, 1, 1)), bn2)
    y = y + _norm(F.conv3d(z, block.downsample[0].weight, stride=(1, 2, 2)), block.downsample[1])
    torch.testing.assert_close(block(x), F.relu(y).transpose(1, 2), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("block", [BasicBlock3D, BasicBlockP3D])
def test_a_block_that_keeps_the_shape_has_no_projection(block):
    assert not list(block(4, 4).downsample.parameters())


@pytest.mark.parametrize(
    "mode, layers, megas, gflops",
    [
        ("p3d", [1, 4, 4, 1], 13.20, 170.4),
        ("2d", [1, 4, 4, 1], 11.43, 145.4),
        ("3d", [1, 4, 4, 1], 29.57, 407.0),
        ("2d", [1, 1, 1, 1], 7.00, 70.7),
    ],
)
def test_the_costs_are_the_known_ones(mode, layers, megas, gflops):
    with torch.device("meta"):
        cfg = {"type": "DeepGaitV2", "mode": mode, "layers": layers}
        found = count_flops(MeshGaitNet(cfg, {"out_channels": 256}, {"class_num": 3000}))
    assert (found[0] / 1e6, found[1]) == pytest.approx((megas, gflops), rel=1e-3)


def _eval(mode, bin_num=(16,), **changes):
    net = DeepGaitV2(bin_num, mode, **{**SMALL, **changes})
    net(torch.rand(2, 3, 1, 64, 44))  # statistics of its own
    return net.eval()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("frames", [1, 2, 5])
def test_sequences_of_any_length_give_parts(mode, frames):
    found = _eval(mode, (16, 4))(torch.rand(2, frames, 1, 64, 44))
    assert found.shape == (2, 8, 20)
    assert found.isfinite().all()


@pytest.mark.parametrize("mode", MODES)
def test_packed_sequences_give_what_single_ones_give(mode):
    net, frames = _eval(mode), torch.rand(1, 7, 1, 64, 44)
    packed = net(frames, torch.tensor([[3, 1, 3]]))
    alone = torch.cat([net(frames[:, a:b]) for a, b in [(0, 3), (3, 4), (4, 7)]])
    torch.testing.assert_close(packed, alone)


@torch.no_grad()
def test_the_order_of_frames_matters_in_3d_only():
    frames = torch.rand(1, 5, 1, 64, 44)
    for mode in MODES:
        net = _eval(mode)
        shuffled = net(frames[:, [3, 0, 4, 2, 1]])
        assert torch.allclose(net(frames), shuffled, atol=1e-5) == (mode == "2d")


@torch.no_grad()
@pytest.mark.parametrize("mode, reach", [("2d", 0), ("3d", 4), ("p3d", 2)])
def test_a_frame_reaches_as_far_as_the_convolutions_do(mode, reach):
    """One block of two 3×3×3 convolutions in each of two stages reaches 4 frames, one of 3×1×1 in each reaches 2."""
    net = _eval(mode, layers=[1, 1, 1, 1])
    frames = torch.rand(1, 11, 1, 64, 44)
    changed = frames.clone()
    changed[:, 5] = 1 - changed[:, 5]

    def maps(x):
        return net.layer3(net.layer2(net.layer1(net.layer0(x))))

    moved = (maps(frames) - maps(changed)).abs().amax((0, 2, 3, 4)) > 1e-6
    assert moved.tolist() == [abs(i - 5) <= reach for i in range(11)]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("branch", [False, True])
def test_the_whole_network_trains_a_step(make_net, sils, reconstruction, mode, branch):
    cfg = {"type": "DeepGaitV2", "mode": mode, **SMALL}
    net = make_net(backbone_cfg=cfg, reconstruction=reconstruction, **({} if branch else {"heatmap_cfg": None}))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    before = {name: parameter.detach().clone() for name, parameter in net.named_parameters()}
    out = net(sils)
    labels = torch.tensor([0, 1, 2])[:, None].expand(-1, out.logits.shape[2])
    loss = F.cross_entropy(out.logits, labels) + out.embeddings.square().mean()
    if branch:
        loss = loss + 10 * out.vertices.square().mean()
    loss.backward()
    optimizer.step()
    still = [name for name, parameter in net.named_parameters() if torch.equal(parameter, before[name])]
    assert still == []


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"mode": "p3"}, "mode: found 'p3' .*expected '2d', '3d' or 'p3d'"),
        ({"mode": None}, "mode: found null; expected '2d'"),
        ({"layers": [1, 4, 4]}, r"DeepGaitV2 .*\n  layers: found \[1, 4, 4\] .*at least 4 items, not 3"),
        ({"layers": [1, 0, 1, 1]}, "layers.1: found 0 .*greater than or equal to 1"),
        ({"channels": [8, 8, 8, 8.5]}, "channels.3: found 8.5 .*expected a whole number"),
        ({"channels": 64}, "channels: found 64 .*expected a list"),
        ({"width": 3}, "width: DeepGaitV2 has no such argument"),
    ],
)
def test_bad_arguments_are_named(make_net, changes, message):
    with pytest.raises(UserError, match=message):
        make_net(backbone_cfg={"type": "DeepGaitV2", **SMALL, **changes})


def test_strips_that_do_not_fit_are_named(make_net):
    with pytest.raises(UserError, match="16 rows.*Use 1, 2, 4, 8, 16"):
        make_net(backbone_cfg={"type": "DeepGaitV2", **SMALL}, bin_num=[15])
