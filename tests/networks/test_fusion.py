"""Two branches become one, channel by channel."""

import pytest
import torch

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.networks.fusion import FUSIONS, build_fusion


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
