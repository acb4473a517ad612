"""Pooling over time and height, and the heads, against plain loops."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.networks.layers import (
    HorizontalPooling,
    PackSequence,
    SeparateBNNecks,
    SeparateFCs,
    SetBlockWrapper,
)


def test_set_block_wrapper_works_frame_by_frame():
    conv = torch.nn.Conv2d(2, 3, 3)
    x = torch.randn(2, 4, 2, 6, 5)
    expected = torch.stack([torch.stack([conv(frame[None])[0] for frame in sequence]) for sequence in x])
    torch.testing.assert_close(SetBlockWrapper(conv)(x), expected)


@given(st.lists(st.integers(1, 6), min_size=1, max_size=5))
def test_packed_sequences_pool_as_if_alone(lengths):
    sequences = [torch.randn(1, length, 3, 2) for length in lengths]
    pool = PackSequence()
    alone = torch.cat([pool(sequence) for sequence in sequences])
    assert torch.equal(pool(torch.cat(sequences, dim=1), torch.tensor([lengths])), alone)
    assert torch.equal(alone, torch.cat([sequence.amax(1) for sequence in sequences]))


@pytest.mark.parametrize("shape, lengths", [((1, 5, 2), [2, 2]), ((2, 4, 2), [2, 2]), ((1, 4, 2), [4, 0])])
def test_lengths_must_fit_the_packed_frames(shape, lengths):
    with pytest.raises(ValueError, match="does not fit packed frames"):
        PackSequence()(torch.randn(shape), torch.tensor([lengths]))


def test_horizontal_pooling_is_mean_plus_maximum_of_each_strip():
    x = torch.randn(2, 3, 8, 5)
    strips = [x[:, :, a:b] for a, b in [(0, 2), (2, 4), (4, 6), (6, 8), (0, 8)]]
    expected = torch.stack([s.mean((2, 3)) + s.amax((2, 3)) for s in strips], dim=-1)
    torch.testing.assert_close(HorizontalPooling([4, 1])(x), expected)


@pytest.mark.parametrize("bins", [[16], [4, 3], [0]])
def test_horizontal_pooling_says_which_bins_fit(bins):
    with pytest.raises(UserError, match=r"8 rows.*Use 1, 2, 4, 8,"):
        HorizontalPooling(bins)(torch.randn(1, 2, 8, 3))


@pytest.mark.parametrize("rows, bins", [(16, 15), (8, 16), (8, 3), (8, 4), (1, 16)])
def test_neighbouring_strips_share_a_row_where_asked_to(rows, bins):
    x = torch.randn(2, 3, rows, 5)
    expected = F.adaptive_avg_pool2d(x, (bins, 1)) + F.adaptive_max_pool2d(x, (bins, 1))
    torch.testing.assert_close(HorizontalPooling([bins], repeat_rows=True)(x), expected.squeeze(3))


@pytest.mark.parametrize("norm", [False, True])
def test_separate_fcs_are_one_matrix_a_part(norm):
    layer, x = SeparateFCs(3, 4, 5, norm=norm), torch.randn(2, 4, 3)
    weight = layer.fc_bin / layer.fc_bin.norm(dim=1, keepdim=True) if norm else layer.fc_bin
    expected = torch.stack([x[:, :, p] @ weight[p] for p in range(3)], dim=-1)
    torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("parallel", [False, True])
def test_bnnecks_normalise_and_classify_each_part(norm, parallel):
    layer, x = SeparateBNNecks(3, 4, 5, norm=norm, parallel_BN1d=parallel), torch.randn(6, 4, 3)
    features, logits = layer(x)
    normal = (x - x.mean(0)) / (x.var(0, unbiased=False) + 1e-5).sqrt()
    weight = layer.fc_bin
    if norm:
        normal, weight = F.normalize(normal, dim=1), F.normalize(weight, dim=1)
    torch.testing.assert_close(features, normal, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(logits, torch.einsum("ncp,pck->nkp", normal, weight), atol=1e-5, rtol=1e-5)


def test_parts_do_not_see_each_other():
    fcs, necks, x = SeparateFCs(3, 4, 5), SeparateBNNecks(3, 5, 2), torch.randn(6, 4, 3)
    changed = x.clone()
    changed[:, :, 1] += torch.randn(6, 4)
    for a, b in zip((fcs(x), *necks(fcs(x))), (fcs(changed), *necks(fcs(changed)))):
        torch.testing.assert_close(a[..., [0, 2]], b[..., [0, 2]])
        assert not torch.allclose(a[..., 1], b[..., 1])
