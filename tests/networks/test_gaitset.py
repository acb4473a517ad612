"""GaitSet: sets have no order, and the global pipeline is what the paper draws."""

import pytest
import torch
import torch.nn.functional as F

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.networks import BACKBONES
from opengait_meshgait.networks.backbones import GaitSet


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
