"""GaitGL: global-local convolutions, aggregation over time, and the generalised mean."""

import pytest
import torch
import torch.nn.functional as F

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.networks import BACKBONES
from opengait_meshgait.networks.backbones import GaitGL
from opengait_meshgait.networks.backbones.gaitgl import GeMPooling, GlobalLocalConv3d


@pytest.mark.parametrize("rows, strips", [(8, [4, 4]), (9, [4, 4, 1])])
def test_strips_are_convolved_alone_beside_the_whole(rows, strips):
    x = torch.randn(2, 3, 4, rows, 6)
    add, stack = GlobalLocalConv3d(3, 5, halving=1), GlobalLocalConv3d(3, 5, halving=1, stack=True)
    stack.load_state_dict(add.state_dict())
    whole = F.leaky_relu(F.conv3d(x, add.global_conv3d.weight, padding=1), 0.01)
    local = [F.conv3d(strip, add.local_conv3d.weight, padding=1) for strip in x.split(strips, dim=3)]
    local = F.leaky_relu(torch.cat(local, dim=3), 0.01)
    torch.testing.assert_close(add(x), whole + local)
    torch.testing.assert_close(stack(x), torch.cat([whole, local], dim=3))


def test_it_says_when_it_halves_too_often():
    with pytest.raises(UserError, match="halving 3 cuts a map of 4 rows into 8 strips"):
        GlobalLocalConv3d(1, 2, halving=3)(torch.randn(1, 1, 2, 4, 4))


def test_the_generalised_mean_lies_between_mean_and_maximum():
    x = torch.rand(2, 3, 8, 5) + 0.01
    strips = x.unflatten(2, (4, 2)).flatten(3)
    torch.testing.assert_close(GeMPooling([4], p=1)(x), strips.mean(-1))
    torch.testing.assert_close(GeMPooling([4], p=3)(x), strips.pow(3).mean(-1).pow(1 / 3))
    torch.testing.assert_close(GeMPooling([4], p=2000)(x), strips.amax(-1), rtol=2e-3, atol=0)
    assert GeMPooling([4, 1])(x).shape == (2, 3, 5)


def test_the_gradients_of_the_generalised_mean_are_right():
    pool = GeMPooling([2], p=6.5).double()
    x = (torch.rand(1, 2, 4, 3, dtype=torch.float64) + 0.1).requires_grad_()
    assert torch.autograd.gradcheck(lambda x, p: torch.func.functional_call(pool, {"p": p}, (x,)), (x, pool.p))


@pytest.mark.parametrize("value", [0.0, -1.0, 1e-6, 1e6])
@pytest.mark.parametrize("p", [6.5, 20])
def test_no_value_overflows_the_generalised_mean(value, p):
    pool, x = GeMPooling([2], p), torch.full((1, 2, 4, 3), value, requires_grad=True)
    out = pool(x)
    out.sum().backward()
    torch.testing.assert_close(out, torch.full((1, 2, 2), max(value, 1e-6)))
    assert x.grad.isfinite().all() and pool.p.grad.isfinite().all()


@pytest.fixture
def net():
    return GaitGL([8, 1], [2, 3, 4, 5])


def test_one_or_two_frames_are_repeated(net):
    frames = torch.rand(2, 4, 1, 64, 44)
    torch.testing.assert_close(net(frames[:, :1]), net(frames[:, [0, 0, 0]]))
    torch.testing.assert_close(net(frames[:, :2]), net(frames[:, [0, 1, 0, 1]]))


def test_three_frames_become_one(net):
    for length, clips in [(3, 1), (5, 1), (6, 2), (7, 2)]:
        assert net.LTA(net.conv3d(torch.rand(1, 1, length, 64, 44))).shape == (1, 2, clips, 64, 44)


def test_it_sees_the_order_of_the_frames(net):
    frames = torch.rand(1, 6, 1, 64, 44)
    assert not torch.allclose(net(frames[:, [3, 1, 5, 0, 4, 2]]), net(frames), rtol=1e-3)


def test_half_of_the_strips_are_global_and_half_local(net):
    frames = torch.rand(1, 3, 1, 64, 44)
    before = net(frames)
    torch.nn.init.normal_(net.GLConvB2[-1].local_conv3d.weight)
    changed = (net(frames) - before).abs().amax((0, 1)) > 1e-6
    assert changed.tolist() == [False] * 4 + [True] * 4 + [True]  # of the last strip both halves


def test_both_halves_run_from_head_to_feet():
    """As ``part_bins`` says: strip i of either half looks at the same height."""
    net, frames = GaitGL([8], [2, 3, 4]), torch.rand(1, 3, 1, 64, 44)
    seen = []
    for part in range(8):
        x = frames.clone().requires_grad_()
        net(x)[..., part].sum().backward()
        weight = x.grad.abs().sum((0, 1, 2, 4))
        seen.append((weight * torch.arange(64)).sum() / weight.sum())
    seen = torch.stack(seen)
    expected = torch.tensor([7.5, 23.5, 39.5, 55.5]).repeat(2)
    assert (seen - expected).abs().max() < 4


def test_blocks_may_be_deeper_and_only_the_last_layer_stacks():
    net = GaitGL([8], [2, 3, 4, 5], layers=2, halving=1)
    assert [len(block) for block in (net.conv3d, net.GLConvA0, net.GLConvA1, net.GLConvB2)] == [4, 2, 2, 2]
    blocks = [layer for block in (net.GLConvA0, net.GLConvA1, net.GLConvB2) for layer in block]
    assert [layer.stack for layer in blocks] == [False] * 5 + [True]
    assert net(torch.rand(1, 3, 1, 64, 44)).shape == (1, 5, 8)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"channels": [4, 8]}, r"channels: found \[4, 8\].*at least 3 items, not 2"),
        ({"channels": [4, 8, 8, -8]}, "channels.3: found -8 .*greater than or equal to 1"),
        ({"channels": 8}, "channels: found 8 .*expected a list"),
        ({"layers": 0}, "layers: found 0 .*greater than or equal to 1"),
        ({"halving": -1}, "halving: found -1 .*greater than or equal to 0"),
        ({"halving": 1.5}, "halving: found 1.5 .*expected a whole number"),
    ],
)
def test_it_names_what_is_wrong(arguments, message):
    with pytest.raises(UserError, match=message):
        BACKBONES.build({"type": "GaitGL", **arguments})
