"""Features from heatmaps, and their fusion, channel by channel."""

import pytest
import torch

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.networks.heatmap_features import FUSIONS, HeatmapFeatures, build_fusion
from opengait_meshgait.networks.registry import LAYERS


def test_feature_maps_keep_the_resolution_of_the_heatmaps():
    layer = HeatmapFeatures(15, [4, 6, 7])
    assert layer(torch.rand(2, 5, 3, 16, 11)).shape == (2, 7, 16, 11)
    assert HeatmapFeatures(15, [4])(torch.rand(2, 5, 3, 16, 11)).shape == (2, 4, 16, 11)


def test_probabilities_are_scaled_to_average_one():
    # In evaluation mode the fresh normalisation is the identity, which leaves the plain convolution.
    layer = HeatmapFeatures(6, [4]).eval()
    volumes = torch.rand(2, 2, 3 * 8 * 5).softmax(-1).view(2, 2, 3, 8, 5)
    scaled = volumes * (3 * 8 * 5)
    torch.testing.assert_close(scaled.mean(), torch.tensor(1.0))
    expected = torch.einsum("nchw,oc->nohw", scaled.flatten(1, 2), layer.reduce.weight.flatten(1)).relu()
    torch.testing.assert_close(layer(volumes), expected, atol=1e-4, rtol=1e-4)


def test_small_probabilities_survive_the_normalisation():
    """Two volumes that differ by a tenth of a uniform probability give clearly different features."""
    layer = HeatmapFeatures(8, [4])
    uniform = torch.full((1, 1, 8, 16, 11), 1 / (8 * 16 * 11))
    volumes = uniform * (1 + 0.1 * torch.randn(2, 1, 8, 16, 11))
    assert layer(volumes).std() > 0.3


def test_gradients_reach_the_volumes_and_every_parameter():
    layer = HeatmapFeatures(6, [4, 5])
    volumes = torch.rand(2, 2, 3, 8, 5, requires_grad=True)
    (layer(volumes) * torch.randn(2, 5, 8, 5)).sum().backward()
    for name, tensor in [("volumes", volumes), *layer.named_parameters()]:
        assert tensor.grad.abs().sum() > 0, name


def test_feedback_scales_the_gradient_of_the_volumes_alone():
    layer, volumes, weights = HeatmapFeatures(6, [4, 5]), torch.rand(2, 2, 3, 8, 5), torch.randn(2, 5, 8, 5)
    gradients = {}
    for layer.feedback in (1.0, 0.25):
        leaf = volumes.clone().requires_grad_()
        (layer(leaf) * weights).sum().backward()
        gradients[layer.feedback] = leaf.grad, layer.reduce.weight.grad
        layer.zero_grad()
    torch.testing.assert_close(gradients[0.25][0], 0.25 * gradients[1.0][0])
    assert torch.equal(gradients[0.25][1], gradients[1.0][1])


@pytest.mark.parametrize("feedback", [-1, 1.5])
def test_feedback_is_a_share(feedback):
    with pytest.raises(UserError, match="feedback: found .*expected (greater|less) than or equal to"):
        LAYERS.build({"type": "HeatmapFeatures", "feedback": feedback}, in_channels=6)


def test_it_needs_channels():
    with pytest.raises(UserError, match="channels: found .*at least 1 item"):
        LAYERS.build({"type": "HeatmapFeatures", "channels": []}, in_channels=6)


@pytest.fixture
def branches():
    return torch.randn(2, 4, 3), torch.randn(2, 5, 3)


def test_concat_keeps_both(branches):
    assert torch.equal(build_fusion("concat", 4, 5)(*branches), torch.cat(branches, dim=1))


def test_add_adds_a_linear_map_of_the_heatmap_features(branches):
    fusion, (sil, heatmap) = build_fusion("add", 4, 5), branches
    mapped = torch.einsum("oc,ncp->nop", fusion.project.weight[..., 0], heatmap)
    torch.testing.assert_close(fusion(sil, heatmap), sil + mapped)


def test_the_gate_chooses_between_the_branches(branches):
    fusion, (sil, heatmap) = build_fusion("gated", 4, 5), branches
    torch.nn.init.zeros_(fusion.gate.weight)
    for bias, expected in [(50.0, sil), (-50.0, fusion.project(heatmap)), (0.0, (sil + fusion.project(heatmap)) / 2)]:
        torch.nn.init.constant_(fusion.gate.bias, bias)
        torch.testing.assert_close(fusion(sil, heatmap), expected)


@pytest.mark.parametrize("name", FUSIONS)
def test_parts_do_not_see_each_other(name, branches):
    fusion, (sil, heatmap) = build_fusion(name, 4, 5), branches
    out = fusion(sil, heatmap)
    assert out.shape == (2, fusion.out_channels, 3)
    changed = heatmap.clone()
    changed[..., 1] += 1
    torch.testing.assert_close(fusion(sil, changed)[..., [0, 2]], out[..., [0, 2]])
    assert not torch.allclose(fusion(sil, changed)[..., 1], out[..., 1])


def test_an_unknown_fusion_names_the_near_one():
    with pytest.raises(UserError, match="Unknown fusion 'concatenate'. Did you mean 'concat'"):
        build_fusion("concatenate", 4, 5)
