"""GaitSet: sets have no order, and its global pipeline. GaitPart: what micro-motion capture computes and can see."""

import pytest
import torch
import torch.nn.functional as F

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.networks import BACKBONES
from opengait_meshgait.networks.backbones import GaitPart, GaitSet
from opengait_meshgait.networks.backbones.gaitpart import MicroMotion


def test_frames_may_come_in_any_order_and_more_than_once():
    net, frames = GaitSet([4, 1], [4, 6, 8]), torch.rand(2, 5, 1, 64, 44)
    expected = net(frames)
    for order in ([3, 1, 4, 0, 2], [0, 1, 2, 3, 4, 4, 0]):
        torch.testing.assert_close(net(frames[:, order]), expected)
    assert not torch.allclose(net(frames[:, :4]), expected)


def test_both_pipelines_by_hand():
    net, frames = GaitSet([4], [2, 3, 4]), torch.rand(1, 3, 1, 16, 12)

    def convolve(x, block, *layers):
        for layer in layers:
            weight = block[layer].conv.weight
            x = F.leaky_relu(F.conv2d(x, weight, padding=weight.shape[-1] // 2), 0.01)
        return x

    first = F.max_pool2d(convolve(frames[0], net.set_block1.forward_block, 0, 2), 2)
    second = F.max_pool2d(convolve(first, net.set_block2.forward_block, 0, 2), 2)
    third = convolve(second, net.set_block3.forward_block, 0, 2).amax(0)
    whole = F.max_pool2d(convolve(first.amax(0), net.gl_block2, 0, 2), 2)
    whole = convolve(whole + second.amax(0), net.gl_block3, 0, 2) + third
    strips = torch.cat([third, whole], dim=1)  # eight rows of three pixels
    torch.testing.assert_close(net(frames)[0], strips.mean(2) + strips.amax(2))


def test_the_pipelines_begin_apart():
    net = GaitSet([1], [4, 6, 8])
    assert not torch.equal(net.gl_block2[0].conv.weight, net.set_block2.forward_block[0].conv.weight)


@pytest.mark.parametrize("channels", [[4, 6], [4, 6, 8, 8], [4, 0, 8], [4, 6.0, 8], "468"])
def test_it_needs_three_widths(channels):
    with pytest.raises(
        UserError,
        match=r"channels(\.1)?: found .*; expected (a list|a whole number|at (least|most) 3 items|greater than)",
    ):
        BACKBONES.build({"type": "GaitSet", "channels": channels})


@pytest.fixture(params=[3, 5])
def window(request):
    return request.param


@pytest.fixture
def capture(window):
    """Micro-motions of 4 channels in 3 parts."""
    return MicroMotion(4, 3, window, squeeze=2)


def test_a_motion_is_mean_plus_maximum_weighed_by_attention(capture, window):
    x, reach = torch.rand(2, 4, 3, 6), window // 2
    scores = []
    for p, (first, _, second) in enumerate(capture.attention):
        hidden = F.leaky_relu(F.conv1d(x[:, :, p], first.weight, padding=1), 0.01)
        scores.append(torch.sigmoid(F.conv1d(hidden, second.weight, padding=reach - 1)))
    around = F.pad(x, (reach, reach)).unfold(3, window, 1)  # the maximum of positive numbers minds no zeros
    expected = (around.mean(-1) + around.amax(-1)) * torch.stack(scores, dim=2)
    torch.testing.assert_close(capture(x), expected)


def test_constant_features_do_not_move(capture, window):
    inner = capture(torch.randn(2, 4, 3, 1).expand(-1, -1, -1, 11))[..., window // 2 : -(window // 2)]
    torch.testing.assert_close(inner, inner[..., :1].expand_as(inner))
    assert inner.abs().min() > 0


def test_it_sees_as_many_frames_as_its_window(capture, window):
    x = torch.randn(1, 4, 3, 13, requires_grad=True)
    capture(x)[..., 6].sum().backward()
    seen = x.grad.abs().amax((0, 1, 2)).nonzero().flatten().tolist()
    assert seen == list(range(6 - window // 2, 7 + window // 2))


def test_parts_have_their_own_attention(capture):
    x = torch.randn(2, 4, 3, 6)
    changed = x.clone()
    changed[:, :, 1] += 1
    a, b = capture(x), capture(changed)
    assert torch.equal(a[:, :, [0, 2]], b[:, :, [0, 2]])
    same = capture(x[:, :, :1].expand(-1, -1, 3, -1))
    assert not torch.allclose(same[:, :, 0], same[:, :, 1])


def test_the_parts_are_the_strongest_sum_of_both_motions():
    net, frames = GaitPart([4], ["BC-4", "M", "FC-6-1"]), torch.rand(2, 5, 1, 16, 12)
    strips = torch.stack([net.HPP.forward_block(net.Backbone.forward_block(f)) for f in frames], dim=0)
    x = strips.permute(0, 2, 3, 1)
    torch.testing.assert_close(net(frames), (net.TFA[0](x) + net.TFA[1](x)).amax(3))
    assert [template.window for template in net.TFA] == [3, 5]


def test_it_sees_the_order_of_the_frames():
    net, frames = GaitPart([4], ["BC-4", "M", "FC-6-1"]), torch.rand(1, 6, 1, 16, 12)
    assert not torch.allclose(net(frames[:, [3, 1, 5, 0, 4, 2]]), net(frames), rtol=1e-3)


@pytest.mark.parametrize(
    "squeeze, message",
    [
        (0, "squeeze: found 0 .*greater than or equal to 1"),
        (9, "squeeze is 9,.*expected a whole number from 1 to 8"),
        (2.0, "squeeze: found 2.0 .*expected a whole number"),
    ],
)
def test_the_attention_needs_a_channel(squeeze, message):
    with pytest.raises(UserError, match=message):
        BACKBONES.build({"type": "GaitPart", "layers_cfg": ["BC-8"], "squeeze": squeeze})


def test_codes_are_plains():
    with pytest.raises(UserError, match="cannot read 'XC-4'"):
        GaitPart([4], ["BC-4", "XC-4"])
    with pytest.raises(UserError, match="4 rows into 8 strips"):
        GaitPart([4], ["BC-4", "M", "FC-4-3"])(torch.rand(1, 2, 1, 8, 6))
