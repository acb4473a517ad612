"""Silhouette to heatmaps: what they are, where they start, how fast they learn."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.networks import soft_argmax
from opengait_meshgait.networks.estimator import HeatmapEstimator, TimeConvolution, _hold
from opengait_meshgait.networks.registry import ESTIMATORS


def _tiny(**changes):
    return HeatmapEstimator(**{"markers": 3, "depth": 4, "channels": [4, 6, 8], **changes})


def test_a_volume_for_each_marker_that_sums_to_one():
    volumes = ESTIMATORS.build({"type": "HeatmapEstimator"})(torch.rand(2, 3, 1, 64, 44))
    assert volumes.shape == (2, 3, 64, 8, 16, 11)
    assert volumes.dtype == torch.float32
    assert (volumes >= 0).all()
    torch.testing.assert_close(volumes.sum((3, 4, 5)), torch.ones(2, 3, 64))


def test_other_sizes_round_up():
    assert _tiny()(torch.rand(1, 2, 1, 50, 30)).shape == (1, 2, 3, 4, 13, 8)
    assert _tiny(shrink=2)(torch.rand(1, 2, 1, 64, 44)).shape == (1, 2, 3, 4, 8, 6)


def test_markers_start_in_the_middle_of_the_crop():
    estimator = _tiny(markers=16)
    markers = soft_argmax(estimator(torch.rand(2, 4, 1, 64, 44)), estimator.extent(64, 44))
    middle = torch.tensor([0.0, 0.5, 0.0]).expand_as(markers)
    torch.testing.assert_close(markers, middle, atol=0.03, rtol=0)


def test_the_anchors_move_the_balls_to_where_they_say():
    estimator = _tiny(depth=9)
    for layer in (estimator.evidence, estimator.anchors):
        torch.nn.init.zeros_(layer.weight)
    wanted = torch.tensor([[0.05, 0.3, -0.02], [0.0, 0.5, 0.0], [-0.04, 0.68, 0.02]])
    with torch.no_grad():
        estimator.anchors.bias.copy_((wanted - torch.tensor([0, 0.5, 0])).flatten())
    volumes = estimator(torch.rand(1, 2, 1, 64, 44))
    # The box cuts the tails of the balls, most of all in depth, where it is 9 cells long.
    torch.testing.assert_close(
        soft_argmax(volumes, estimator.extent(64, 44)), wanted.expand(1, 2, -1, -1), atol=3e-3, rtol=0
    )
    centre = volumes[0, :, 1].flatten(1).argmax(1)
    assert (centre == (4 * 16 * 11 + 7 * 11 + 5)).all() or (centre == (4 * 16 * 11 + 8 * 11 + 5)).all()


def test_volumes_are_evidence_plus_gaussian_balls():
    estimator, maps, anchors = _tiny(), torch.randn(5, 6, 16, 11), torch.randn(5, 9) * 0.4
    torch.nn.init.normal_(estimator.evidence.weight)
    torch.nn.init.normal_(estimator.evidence.bias)
    extent = estimator.extent(64, 44)
    found = estimator._logits(maps, anchors, extent)
    x, y, z = extent.axes(found)
    places = (anchors.view(5, 3, 3) + torch.tensor([0, 0.5, 0])).unbind(-1)
    expected = F.conv2d(maps, estimator.evidence.weight, estimator.evidence.bias).view_as(found)
    for axis, place, shape in ((x, places[0], (1, 1, 11)), (y, places[1], (1, 16, 1)), (z, places[2], (4, 1, 1))):
        spread = 1.5 * (axis[1] - axis[0])
        place = place.clamp(axis[0] - 3 * spread, axis[-1] + 3 * spread)
        expected = expected - ((axis - place[..., None]) / spread).square().view(5, 3, *shape) / 2
    torch.testing.assert_close(*(logits.flatten(2).softmax(-1) for logits in (found, expected)), atol=1e-7, rtol=1e-5)


def test_markers_start_where_they_are_told_to():
    estimator, points = _tiny(markers=4, depth=9), torch.rand(4, 3) * 0.2 + torch.tensor([-0.1, 0.4, -0.1])
    estimator.start_at(points)
    markers = soft_argmax(estimator(torch.rand(2, 4, 1, 64, 44)), estimator.extent(64, 44))
    torch.testing.assert_close(markers, points.expand_as(markers), atol=0.03, rtol=0)


def test_shrunk_silhouettes_are_block_means():
    estimator, sils = _tiny(shrink=2).eval(), torch.rand(1, 3, 1, 64, 44)
    blocks = sils.unflatten(3, (32, 2)).unflatten(5, (22, 2)).mean((4, 6))
    estimator.shrink = 1
    expected = estimator(blocks)
    estimator.shrink = 2
    torch.testing.assert_close(estimator(sils), expected, atol=1e-5, rtol=1e-4)


def test_a_frame_is_estimated_with_a_view_to_the_others():
    estimator = _tiny()
    torch.nn.init.normal_(estimator.anchors.weight)
    estimator(torch.rand(2, 4, 1, 64, 44))  # statistics
    estimator.eval()
    sils = torch.rand(1, 4, 1, 64, 44)
    others = torch.cat([sils[:, :1], torch.rand(1, 3, 1, 64, 44)], dim=1)
    extent = estimator.extent(64, 44)
    found = soft_argmax(estimator(sils), extent)
    assert not torch.allclose(found[:, 0], soft_argmax(estimator(others), extent)[:, 0], atol=1e-4)
    order = [2, 0, 3, 1]
    torch.testing.assert_close(soft_argmax(estimator(sils[:, order]), extent), found[:, order], atol=1e-5, rtol=1e-4)


def _with_time(**changes):
    """An estimator whose convolutions over time are not the identity that they begin as."""
    estimator = _tiny(dilations=[1, 2], **changes)
    for layer in (estimator.anchors, *(convolution.add for convolution in estimator.times)):
        torch.nn.init.normal_(layer.weight)
    estimator(torch.rand(4, 6, 1, 64, 44))  # statistics
    return estimator.eval()


def test_with_dilations_the_order_of_the_frames_counts():
    estimator, sils = _with_time(), torch.rand(1, 7, 1, 64, 44)
    extent = estimator.extent(64, 44)
    forward, backward = (soft_argmax(estimator(x), extent) for x in (sils, sils.flip(1)))
    assert (forward - backward.flip(1)).abs().max() > 1e-3


def test_convolutions_over_time_begin_as_the_identity():
    x = torch.randn(2, 5, 4)
    torch.testing.assert_close(TimeConvolution(4, 2)(x), x)


@pytest.mark.parametrize("dilation", [1, 2, 9])
def test_a_convolution_over_time_is_that_of_pytorch(dilation):
    ours, theirs = (
        TimeConvolution(3, dilation),
        torch.nn.Conv1d(3, 3, 3, 1, dilation, dilation, padding_mode="replicate"),
    )
    torch.nn.init.normal_(ours.add.weight)
    with torch.no_grad():
        theirs.weight.copy_(ours.look.weight.unflatten(1, (3, 3)).transpose(1, 2))
        theirs.bias.copy_(ours.look.bias)
    x = torch.randn(2, 6, 3)
    expected = x + ours.add(theirs(x.transpose(1, 2)).transpose(1, 2).relu())
    torch.testing.assert_close(ours(x), expected)


@pytest.mark.parametrize("make", [_tiny, _with_time])
def test_packed_sequences_see_only_themselves(make):
    estimator = make().eval()
    sequences = [torch.rand(1, length, 1, 64, 44) for length in (3, 1, 2)]
    packed = estimator(torch.cat(sequences, dim=1), torch.tensor([[3, 1, 2]]))
    alone = torch.cat([estimator(sequence) for sequence in sequences], dim=1)
    torch.testing.assert_close(packed, alone, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("axis, rim", [(0, 0.34375), (1, 1.0), (2, 0.4)])
@pytest.mark.parametrize("side", [-1, 1])
def test_a_marker_that_left_the_volume_comes_back_and_goes_no_further(axis, rim, side):
    estimator = _tiny(depth=8)
    with torch.no_grad():
        estimator.anchors.bias.view(3, 3)[:, axis] = 5.0 * side
    rim = 0.0 if axis == 1 and side < 0 else rim * side
    sils = torch.rand(1, 2, 1, 64, 44)
    for direction, returns in ((side, True), (-side, False)):
        estimator.zero_grad()
        markers = soft_argmax(estimator(sils), estimator.extent(64, 44))[..., axis]
        torch.testing.assert_close(markers, torch.full((1, 2, 3), rim), atol=0.02, rtol=0)
        (direction * markers).sum().backward()
        gradient = estimator.anchors.bias.grad.view(3, 3)[:, axis] * side
        assert (gradient > 0.01).all() if returns else (gradient == 0).all()


@settings(deadline=None)
@given(place=st.floats(-1, 2), low=st.floats(-1, 0), size=st.floats(0, 2), pull=st.floats(-1, 1))
def test_the_gradient_of_an_anchor_never_points_away_from_the_volume(place, low, size, pull):
    centre = torch.tensor([place], dtype=torch.float64, requires_grad=True)
    held = _hold(centre, low, low + size)
    assert low - 1e-9 <= held.item() <= low + size + 1e-9
    (pull * held).sum().backward()
    away = (place > low + size and pull < 0) or (place < low and pull > 0)
    assert centre.grad.item() == (0 if away else pull)


def test_evidence_outweighs_the_ball_where_it_is_strong():
    estimator = _tiny()
    extent = estimator.extent(64, 44)
    before = soft_argmax(estimator(torch.rand(1, 2, 1, 64, 44)), extent)
    with torch.no_grad():
        estimator.evidence.bias.view(3, 4)[:, 0] = 20  # the nearest slice
    after = soft_argmax(estimator(torch.rand(1, 2, 1, 64, 44)), extent)
    assert (before[..., 2].abs() < 0.05).all()
    torch.testing.assert_close(after[..., 2], torch.full((1, 2, 3), -0.4), atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    "optimizer, options", [(torch.optim.SGD, {"lr": 0.1, "momentum": 0.9}), (torch.optim.Adam, {"lr": 0.002})]
)
def test_it_learns_quickly_from_scratch(blobs, optimizer, options):
    estimator = _tiny(markers=4, channels=[8, 8, 16])
    extent, steps = estimator.extent(64, 44), optimizer(estimator.parameters(), **options)
    errors = []
    for _ in range(120):
        sils, points = blobs(16)
        error = (soft_argmax(estimator(sils[None]), extent)[0] - points).abs().mean()
        steps.zero_grad()
        error.backward()
        steps.step()
        errors.append(error.item())
    assert sum(errors[-5:]) < sum(errors[:5]) / 3


def test_gradients_reach_every_parameter_from_the_start():
    estimator = _tiny()
    sils = (torch.rand(2, 3, 1, 64, 44) > 0.5).float()
    markers = soft_argmax(estimator(sils), estimator.extent(64, 44))
    (markers - torch.tensor([0.1, 0.2, 0.1])).abs().sum().backward()
    for name, parameter in estimator.named_parameters():
        assert parameter.grad.abs().sum() > 0, name


def test_softmax_and_coordinates_stay_in_fp32_under_autocast():
    estimator = _tiny().eval()
    sils = (torch.rand(2, 3, 1, 64, 44) > 0.5).float()
    expected = soft_argmax(estimator(sils), estimator.extent(64, 44))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        volumes = estimator(sils)
        markers = soft_argmax(volumes, estimator.extent(64, 44))
    assert volumes.dtype == markers.dtype == torch.float32
    torch.testing.assert_close(volumes.sum((3, 4, 5)), torch.ones(2, 3, 3))
    torch.testing.assert_close(markers, expected, atol=2e-3, rtol=0)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"markers": 0}, "markers: found 0 .*greater than or equal to 1"),
        ({"depth": 1}, "depth: found 1 .*greater than or equal to 2"),
        ({"depth_range": 0.0}, "depth_range: found 0.0 .*greater than 0"),
        ({"shrink": 0}, "shrink: found 0 .*greater than or equal to 1"),
        ({"channels": [8, 16]}, r"channels: found \[8, 16\] .*at least 3 items, not 2"),
    ],
)
def test_it_names_what_is_wrong(arguments, message):
    with pytest.raises(UserError, match=message):
        ESTIMATORS.build({"type": "HeatmapEstimator", **arguments})
