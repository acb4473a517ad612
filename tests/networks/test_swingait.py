"""SwinGait: its costs, sequences of all lengths, drop path, and the whole network around it."""

import pytest
import torch
import torch.nn.functional as F

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.networks import MeshGaitNet, count_flops
from opengait_meshgait.networks.backbones import SwinGait

SMALL = {
    "layers": [1, 1, 2, 1],
    "channels": [3, 4],
    "embed_dim": 8,
    "num_heads": [2, 4],
    "window_size": [3, 3, 2],
    "grid": [6, 4],
}


def _eval(bin_num=(6,), **changes):
    net = SwinGait(bin_num, **{**SMALL, **changes})
    for name, parameter in net.transformer.named_parameters():
        if "table" in name or parameter.dim() == 2:
            torch.nn.init.normal_(parameter, std=0.3)  # so that tokens matter to each other
    net(torch.rand(2, 3, 1, 64, 44))
    return net.eval()


@pytest.mark.parametrize("layers, megas, gflops", [([1, 4, 4, 2], 13.12, 156.9), ([1, 1, 2, 2], 10.50, 98.7)])
def test_the_costs_are_the_known_ones(layers, megas, gflops):
    with torch.device("meta"):
        cfg = {"type": "SwinGait", "layers": layers}
        found = count_flops(MeshGaitNet(cfg, {"out_channels": 256}, {"class_num": 3000}, bin_num=[15]))
    assert (found[0] / 1e6, found[1]) == pytest.approx((megas, gflops), rel=1e-3)


def test_the_defaults_are_the_papers_sizes():
    net = SwinGait([15])
    attention = [block.attn for stage in net.transformer.layers for block in stage.blocks]
    assert [(a.heads, a.qkv.in_features) for a in attention] == [(16, 256)] * 4 + [(32, 512)] * 2
    assert {a.window for a in attention} == {(3, 3, 5)}
    assert [a.shift for a in attention] == [(0, 0, 0), (1, 1, 2)] * 3
    rates = [block.drop_path.rate for stage in net.transformer.layers for block in stage.blocks]
    assert rates == pytest.approx([0, 0.02, 0.04, 0.06, 0.08, 0.1])


@torch.no_grad()
@pytest.mark.parametrize("frames", [1, 2, 3, 4, 7])
def test_sequences_of_any_length_give_parts(frames):
    found = _eval((6, 2))(torch.rand(2, frames, 1, 64, 44))
    assert found.shape == (2, 16, 8)
    assert found.isfinite().all()


@torch.no_grad()
@pytest.mark.parametrize("lengths", [[4, 1, 4], [2, 7, 3, 6], [5, 5]])  # below, at and above a window of 3
def test_packed_sequences_give_what_single_ones_give(lengths):
    net, frames = _eval(), torch.rand(1, sum(lengths), 1, 64, 44)
    packed = net(frames, torch.tensor([lengths]))
    torch.testing.assert_close(packed, torch.cat([net(one) for one in frames.split(lengths, dim=1)]))


@torch.no_grad()
def test_more_windows_than_a_gpu_takes_heads_are_shared_out(monkeypatch):
    net, frames = _eval(), torch.rand(2, 7, 1, 64, 44)
    expected = net(frames)
    monkeypatch.setattr("opengait_meshgait.networks.windows._HEADS", 5)
    torch.testing.assert_close(net(frames), expected)


def test_what_is_computed_again_gives_the_same_gradients():
    nets = [SwinGait((6,), **SMALL, drop_path_rate=0.5, recompute=recompute) for recompute in (False, True)]
    nets[1].load_state_dict(nets[0].state_dict())
    frames, gradients = torch.rand(3, 4, 1, 64, 44), []
    for net in nets:
        torch.manual_seed(1)  # of the branches that are left out
        net(frames).square().sum().backward()
        gradients.append([parameter.grad for parameter in net.parameters()])
    torch.testing.assert_close(*gradients)


@torch.no_grad()
def test_frames_behind_the_reach_of_windows_change_nothing():
    """Straight windows hold frames 0-2, 3-5, 6-8; shifted ones 0, 1-3, 4-6, 7-8. One block of each, straight first."""
    net = _eval(layers=[1, 1, 2, 1])
    straight, shifted = net.transformer.layers[0].blocks
    x = torch.randn(1, 9, 6, 4, 8)
    changed = x.clone()
    changed[:, 7] += torch.randn(8)

    def moved(block):
        return ((block(x) - block(changed)).abs().amax((0, 2, 3, 4)) > 1e-6).nonzero().flatten().tolist()

    assert moved(straight) == [6, 7, 8]
    assert moved(shifted) == [7, 8]
    assert moved(net.transformer.layers[0].blocks) == [4, 5, 6, 7, 8]


def test_drop_path_is_deterministic_under_a_seed_and_off_in_evaluation():
    net, frames = SwinGait([6], **{**SMALL, "drop_path_rate": 0.5}), torch.rand(4, 3, 1, 64, 44)

    def run(seed):
        torch.manual_seed(seed)
        return net(frames)

    assert torch.equal(run(0), run(0))
    assert not torch.equal(run(0), run(1))
    net.eval()
    assert torch.equal(run(0), run(1))


@pytest.mark.parametrize("branch", [False, True])
@pytest.mark.parametrize("frames", [1, 4])
def test_the_whole_network_trains_a_step(make_net, sils, reconstruction, branch, frames):
    changes = {} if branch else {"heatmap_cfg": None}
    cfg = {"type": "SwinGait", **SMALL, "drop_path_rate": 0}
    net = make_net(backbone_cfg=cfg, bin_num=[6, 1], reconstruction=reconstruction, **changes)
    before = {name: parameter.detach().clone() for name, parameter in net.named_parameters()}
    optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
    out = net(sils[:, :frames])
    labels = torch.tensor([0, 1, 2])[:, None].expand(-1, out.logits.shape[2])
    loss = F.cross_entropy(out.logits, labels) + out.embeddings.square().mean()
    if branch:
        loss = loss + 10 * out.vertices.square().mean()
    loss.backward()
    assert [name for name, parameter in net.named_parameters() if parameter.grad is None] == []
    optimizer.step()
    still = [name for name, parameter in net.named_parameters() if torch.equal(parameter, before[name])]
    assert still == []


def test_the_heatmaps_are_cut_into_the_papers_15_strips(make_net, sils):
    net = make_net(backbone_cfg={"type": "SwinGait", **SMALL, "grid": [15, 4]}, bin_num=[15])
    assert net(sils).embeddings.shape == (3, 6, 15)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"layers": [1, 4, 4]}, r"SwinGait .*\n  layers: found \[1, 4, 4\] .*at least 4 items, not 3"),
        ({"channels": [4, 4, 4]}, "channels: found .*at most 2 items, not 3"),
        ({"num_heads": 4}, "num_heads: found 4 .*expected a list"),
        ({"window_size": [3, 0, 2]}, "window_size.1: found 0 .*greater than or equal to 1"),
        ({"grid": [6.0, 4]}, "grid.0: found 6.0 .*expected a whole number"),
        ({"num_heads": [3, 4]}, "cannot share 8 channels among 3 heads"),
        ({"num_heads": [2, 3]}, "cannot share 16 channels among 3 heads"),
        ({"embed_dim": 0}, "embed_dim: found 0 .*greater than or equal to 1"),
        ({"drop_path_rate": 1}, "drop_path_rate: found 1 .*expected less than 1"),
        ({"mode": "p3d"}, "mode: SwinGait has no such argument"),
    ],
)
def test_bad_arguments_are_named(make_net, changes, message):
    with pytest.raises(UserError, match=message):
        make_net(backbone_cfg={"type": "SwinGait", **SMALL, **changes}, bin_num=[6])


def test_strips_that_do_not_fit_are_named(make_net):
    with pytest.raises(UserError, match="6 rows.*Use 1, 2, 3, 6"):
        make_net(backbone_cfg={"type": "SwinGait", **SMALL}, bin_num=[16])
