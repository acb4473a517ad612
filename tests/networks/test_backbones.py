"""The silhouette backbones: OpenGait's keys and shapes, and the arithmetic of their blocks."""

import pytest
import torch
import torch.nn.functional as F

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.networks import BACKBONES
from opengait_meshgait.networks.backbones import Plain, ResNet9
from opengait_meshgait.networks.backbones.plain import FocalConv2d
from opengait_meshgait.networks.blocks import BasicBlock, Bottleneck, StridedProjection

BN = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def test_resnet9_has_the_keys_of_opengaits():
    shapes = {
        k: tuple(v.shape) for k, v in ResNet9("BasicBlock", [4, 4, 6, 8], layers=[1, 1, 2, 0]).state_dict().items()
    }
    expected = {"conv1.conv.weight": (4, 1, 3, 3)}
    expected |= {f"bn1.{k}": (4,) for k in BN}
    widths = {"layer1.0": (4, 4), "layer2.0": (4, 4), "layer3.0": (4, 6), "layer3.1": (6, 6)}
    for name, (before, after) in widths.items():
        expected |= {f"{name}.conv1.weight": (after, before, 3, 3), f"{name}.conv2.weight": (after, after, 3, 3)}
        expected |= {f"{name}.{bn}.{k}": (after,) for bn in ("bn1", "bn2") for k in BN}
    for name in ("layer2.0", "layer3.0"):
        before, after = widths[name]
        expected |= {f"{name}.downsample.0.weight": (after, before, 1, 1)}
        expected |= {f"{name}.downsample.1.{k}": (after,) for k in BN}
    expected = {k: () if k.endswith("num_batches_tracked") else shape for k, shape in expected.items()}
    assert shapes == expected


@pytest.mark.parametrize("block, channels", [("BasicBlock", 8), ("Bottleneck", 32)])
@pytest.mark.parametrize("maxpool, size", [(False, (16, 11)), (True, (8, 6))])
def test_resnet9_gives_a_map_of_a_quarter_of_the_size(block, channels, maxpool, size):
    net = ResNet9(block, [4, 4, 6, 8], maxpool=maxpool)
    assert net(torch.rand(2, 1, 64, 44)).shape == (2, channels, *size)


def _norm(x, bn):
    mean, var = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), unbiased=False, keepdim=True)
    return (x - mean) / (var + bn.eps).sqrt() * bn.weight.view(1, -1, 1, 1) + bn.bias.view(1, -1, 1, 1)


def test_basic_block_is_two_convolutions_and_a_shortcut():
    block, x = BasicBlock(3, 5, stride=2), torch.randn(2, 3, 8, 6)
    y = F.relu(_norm(F.conv2d(x, block.conv1.weight, stride=2, padding=1), block.bn1))
    y = _norm(F.conv2d(y, block.conv2.weight, padding=1), block.bn2)
    y = y + _norm(F.conv2d(x, block.downsample[0].weight, stride=2), block.downsample[1])
    torch.testing.assert_close(block(x), F.relu(y), atol=1e-5, rtol=1e-5)


def test_bottleneck_strides_on_the_middle_convolution():
    block, x = Bottleneck(3, 2, stride=2), torch.randn(2, 3, 8, 6)
    y = F.relu(_norm(F.conv2d(x, block.conv1.weight), block.bn1))
    y = F.relu(_norm(F.conv2d(y, block.conv2.weight, stride=2, padding=1), block.bn2))
    y = _norm(F.conv2d(y, block.conv3.weight), block.bn3)
    y = y + _norm(F.conv2d(x, block.downsample[0].weight, stride=2), block.downsample[1])
    torch.testing.assert_close(block(x), F.relu(y), atol=1e-5, rtol=1e-5)


def test_a_block_that_keeps_the_shape_needs_no_projection():
    assert not list(BasicBlock(4, 4).downsample.parameters())
    assert not list(Bottleneck(8, 2).downsample.parameters())


def test_plain_is_the_layers_its_codes_say():
    net = Plain(["BC-4", "BC-4", "M", "FC-6-2"])
    assert {k: tuple(v.shape) for k, v in net.state_dict().items()} == {
        "feature.0.conv.weight": (4, 1, 5, 5),
        "feature.2.conv.weight": (4, 4, 3, 3),
        "feature.5.conv.weight": (6, 4, 3, 3),
    }
    x = torch.randn(2, 1, 16, 12)
    y = F.leaky_relu(F.conv2d(x, net.feature[0].conv.weight, padding=2), 0.01)
    y = F.leaky_relu(F.conv2d(y, net.feature[2].conv.weight, padding=1), 0.01)
    y = F.max_pool2d(y, 2)
    y = torch.cat([F.conv2d(strip, net.feature[5].conv.weight, padding=1) for strip in y.chunk(4, dim=2)], dim=2)
    torch.testing.assert_close(net(x), F.leaky_relu(y, 0.01))


def test_focal_strips_do_not_see_each_other():
    conv, x = FocalConv2d(1, 2, 3, 1, 1, halving=1), torch.randn(1, 1, 8, 4)
    changed = x.clone()
    changed[:, :, 4:] += 1
    assert torch.equal(conv(x)[:, :, :4], conv(changed)[:, :, :4])
    assert not torch.equal(conv(x)[:, :, 4:], conv(changed)[:, :, 4:])


def test_focal_convolution_keeps_left_over_rows():
    assert FocalConv2d(1, 2, 3, 1, 1, halving=2)(torch.randn(1, 1, 11, 4)).shape == (1, 2, 11, 4)


def test_focal_convolution_says_when_it_halves_too_often():
    with pytest.raises(UserError, match="4 rows into 8 strips"):
        FocalConv2d(1, 2, 3, 1, 1, halving=3)(torch.randn(1, 1, 4, 4))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"block": "BasicBlok"}, "block: found 'BasicBlok'.*expected 'BasicBlock' or 'Bottleneck'"),
        ({"block": "BasicBlock", "channels": [1, 2, 3]}, r"channels: found \[1, 2, 3\].*at least 4 items, not 3"),
        ({"block": "BasicBlock", "strides": [1]}, r"strides: found \[1\].*at least 4 items, not 1"),
        ({"block": "BasicBlock", "layers": [1] * 5}, "layers: found .*at most 4 items, not 5"),
    ],
)
def test_resnet9_names_what_is_wrong(arguments, message):
    with pytest.raises(UserError, match=message):
        BACKBONES.build({"type": "ResNet9", **arguments})


@pytest.mark.parametrize("codes", [["BC-4", "XC-4"], ["BC-4", "FC-4"], ["M", "BC-4"], ["BC4"], ["BC-4", 3]])
def test_plain_names_the_code_it_cannot_read(codes):
    with pytest.raises(UserError, match=r"cannot read '.*' at place \d of layers_cfg"):
        Plain(codes)


@pytest.mark.parametrize("step", [1, 2, 3])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_strided_projection_is_a_convolution_with_that_stride(step, layout):
    projection = StridedProjection(5, 6, step)
    x = torch.randn(2, 5, 11, 8)
    found_from, expected_from = x.contiguous(memory_format=layout).requires_grad_(), x.requires_grad_()
    found, expected = projection(found_from), F.conv2d(expected_from, projection.weight, stride=step)
    torch.testing.assert_close(found, expected)
    weights = torch.randn_like(found)
    torch.testing.assert_close(
        torch.autograd.grad(found, [found_from, projection.weight], weights),
        torch.autograd.grad(expected, [expected_from, projection.weight], weights.contiguous()),
    )
