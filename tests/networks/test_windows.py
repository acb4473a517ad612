"""Windowed attention against attention over sets of tokens written out one by one."""

from itertools import product

import pytest
import torch
from torch import nn

from opengait_meshgait.networks.windows import DropPath, SwinBlock, WindowAttention, cut_windows, join_windows


def _attention(channels=6, heads=2, window=(2, 3, 2), shift=(0, 0, 0)):
    attention = WindowAttention(channels, heads, window, shift).double()
    for parameter in attention.parameters():
        nn.init.normal_(parameter, std=0.5)
    return attention


def _starts(length, size, step):
    """First token of each window along one axis; windows shifted by ``step`` begin with a cut one."""
    if length <= size:
        return [(0, length)]
    cuts = sorted({0, length, *range(step or size, length, size)})
    return list(zip(cuts, cuts[1:]))


def _brute_force(attention, x):
    """Attention of each token, one head and one query at a time, over the tokens of its window that exist."""
    n, *extent, c = x.shape
    heads, size = attention.heads, c // attention.heads
    q, k, v = (x @ attention.qkv.weight.T + attention.qkv.bias).split(c, dim=-1)
    spans = [2 * side - 1 for side in attention.window]
    bias = attention.relative_position_bias_table.view(*spans, heads)
    out = torch.zeros_like(x)
    axes = [_starts(*triple) for triple in zip(extent, attention.window, attention.shift)]
    for bounds in product(*axes):
        tokens = list(product(*(range(a, b) for a, b in bounds)))
        for sequence, head, query in product(range(n), range(heads), tokens):
            part = slice(head * size, (head + 1) * size)
            scores = []
            for key in tokens:
                offset = [i - j + side - 1 for i, j, side in zip(query, key, attention.window)]
                score = (q[sequence][query][part] * k[sequence][key][part]).sum() / size**0.5
                scores.append(score + bias[tuple(offset)][head])
            weights = torch.stack(scores).softmax(0)
            out[sequence][query][part] = sum(w * v[sequence][key][part] for w, key in zip(weights, tokens))
    return out @ attention.proj.weight.T + attention.proj.bias


@torch.no_grad()
@pytest.mark.parametrize(
    "extent, window, shift",
    [
        ((4, 6, 4), (2, 3, 2), (0, 0, 0)),
        ((4, 6, 4), (2, 3, 2), (1, 1, 1)),
        ((4, 6, 4), (3, 3, 2), (1, 2, 1)),  # two frames of padding
        ((3, 4, 5), (2, 3, 2), (0, 0, 0)),  # padding on every axis
        ((3, 4, 5), (2, 3, 2), (1, 1, 1)),
        ((1, 6, 4), (3, 3, 2), (1, 1, 1)),  # a single frame: one window in time, unshifted
        ((2, 2, 4), (3, 3, 4), (1, 1, 2)),  # smaller than a window on every axis
    ],
)
def test_attention_is_that_over_explicit_sets(extent, window, shift):
    attention = _attention(window=window, shift=shift)
    x = torch.randn(1, *extent, 6, dtype=torch.float64)
    torch.testing.assert_close(attention(x), _brute_force(attention, x))


def test_cutting_and_joining_are_inverse():
    x = torch.randn(2, 4, 6, 4, 3)
    windows = cut_windows(x, (2, 3, 2))
    assert windows.shape == (2, 8, 12, 3)
    assert torch.equal(windows[1, 3], x[1, :2, 3:, 2:].flatten(0, 2))
    assert torch.equal(join_windows(windows, (2, 3, 2), (4, 6, 4)), x)


@torch.no_grad()
def test_padding_changes_nothing_for_the_frames_that_are_there():
    attention = _attention(window=(3, 3, 2))
    x = torch.randn(2, 4, 3, 2, 6, dtype=torch.float64)
    apart = torch.cat([attention(x[:, :3]), attention(x[:, 3:])], dim=1)
    torch.testing.assert_close(attention(x), apart)


def test_masked_tokens_get_no_gradient_and_no_nan():
    attention = _attention(window=(3, 3, 2), shift=(1, 1, 1))
    x = torch.randn(1, 5, 4, 3, 6, dtype=torch.float64, requires_grad=True)
    attention(x)[:, 0, 0, 0].sum().backward()
    assert x.grad.isfinite().all()
    reached = x.grad.abs().amax(-1)[0] > 0
    # The first shifted window along time holds frame 0 alone, along rows row 0 and along columns column 0.
    assert reached.nonzero().tolist() == [[0, 0, 0]]


@pytest.mark.parametrize("shift", [(0, 0, 0), (1, 1, 1)])
def test_attention_runs_in_bfloat16(shift):
    attention = WindowAttention(8, 2, (2, 3, 2), shift)
    x = torch.randn(2, 3, 4, 4, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = attention(x)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), attention(x), atol=0.03, rtol=0.03)


def test_a_block_is_two_normalised_branches():
    block, x = SwinBlock(6, 2, (2, 3, 2), (1, 1, 1), drop_path=0.5).eval(), torch.randn(2, 3, 4, 4, 6)
    y = x + block.attn(block.norm1(x))
    hidden = nn.functional.gelu(block.mlp.fc1(block.norm2(y)))
    torch.testing.assert_close(block(x), y + block.mlp.fc2(hidden))


def test_drop_path_leaves_out_whole_sequences_and_keeps_the_mean():
    drop, x = DropPath(0.25), torch.rand(4000, 2, 3) + 1
    ratio = drop(x) / x
    torch.testing.assert_close(ratio, ratio[:, :1, :1].expand_as(ratio))
    assert set(ratio[:, 0, 0].mul(3).round().tolist()) == {0, 4}
    assert ratio.mean() == pytest.approx(1, abs=0.05)
    assert torch.equal(drop.eval()(x), x)
