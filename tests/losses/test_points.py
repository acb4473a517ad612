"""Joint, marker and mesh losses: closed forms, masks, the warm-up, and what never gets a gradient."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.losses import LOSSES, JointLoss, MarkerLoss, MeshLoss

ERRORS = {JointLoss: "mpjpe_mm", MarkerLoss: "marker_mm", MeshLoss: "mpvpe_mm"}


def bodies(rng, n=2, s=3, points=5):
    predicted = torch.randn(n, s, points, 3, generator=rng, requires_grad=True)
    target = torch.randn(n, s, points, 3, generator=rng)
    weights = torch.ones(n, s)
    height = 1.5 + torch.rand(n, s, generator=rng)
    return predicted, target, weights, height


@pytest.mark.parametrize("loss_class", ERRORS, ids=lambda c: c.__name__)
def test_by_hand(loss_class):
    # One point off by (0.3, 0, 0.4), the other right; a person whose silhouette is 2 m high.
    target = torch.zeros(1, 1, 2, 3)
    predicted = torch.tensor([[[[0.3, 0.0, -0.4], [0.0, 0.0, 0.0]]]])
    frame = {"weights": torch.ones(1, 1), "height": torch.full((1, 1), 2.0), "iteration": 0}
    l1, info = loss_class("l1")(predicted=predicted, target=target, **frame)
    l2, _ = loss_class("l2")(predicted=predicted, target=target, **frame)
    assert l1.item() == pytest.approx(0.7 / 6)
    assert l2.item() == pytest.approx(0.25 / 6)
    assert info["loss"].item() == l1.item()
    assert info[ERRORS[loss_class]].item() == pytest.approx(500.0)
    assert info["ramp"] == 1.0
    assert info.keys() == {"loss", ERRORS[loss_class], "ramp"}


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_equals_torch_where_all_frames_count(norm, rng):
    predicted, target, weights, height = bodies(rng)
    loss, _ = MeshLoss(norm)(predicted, target, weights, height, 0)
    reference = {"l1": torch.nn.functional.l1_loss, "l2": torch.nn.functional.mse_loss}[norm]
    torch.testing.assert_close(loss, reference(predicted, target))


@given(mask=st.lists(st.booleans(), min_size=6, max_size=6), norm=st.sampled_from(["l1", "l2"]))
def test_masked_frames_do_not_exist(mask, norm):
    rng = torch.Generator().manual_seed(0)
    predicted, target, _, height = bodies(rng)
    valid = torch.tensor(mask).reshape(2, 3)
    spoilt = target.masked_fill(~valid[..., None, None], torch.nan)
    loss, info = JointLoss(norm)(predicted, spoilt, valid.float(), height.masked_fill(~valid, torch.nan), 0)
    (gradient,) = torch.autograd.grad(loss, predicted)
    assert (gradient[~valid] == 0).all()
    if valid.any():
        kept, kept_info = JointLoss(norm)(
            predicted[valid][None], target[valid][None], valid[valid][None].float(), height[valid][None], 0
        )
        torch.testing.assert_close(loss, kept)
        torch.testing.assert_close(info["mpjpe_mm"], kept_info["mpjpe_mm"])
        assert (gradient[valid] != 0).all()
    else:
        assert loss.item() == 0.0
        assert info["mpjpe_mm"].item() == 0.0
        assert gradient.abs().max() == 0


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_frames_count_by_their_weights(norm, rng):
    predicted, target, weights, height = bodies(rng)
    weights = torch.tensor([[0.25, 1, 0], [0.5, 0, 0.75]])
    loss, info = MeshLoss(norm)(predicted, target, weights, height, 0)
    alone = [
        MeshLoss(norm)(*(value[i, t][None, None] for value in (predicted, target, torch.ones(2, 3), height)), 0)
        for i in range(2)
        for t in range(3)
    ]
    for found, each in ((loss, [frame for frame, _ in alone]), (info["mpvpe_mm"], [i["mpvpe_mm"] for _, i in alone])):
        torch.testing.assert_close(found, (torch.stack(each) * weights.flatten()).sum() / weights.sum())
    # Only their proportions matter.
    torch.testing.assert_close(MeshLoss(norm)(predicted, target, weights / 7, height, 0)[0], loss)


def test_predictions_without_weight_may_be_nan_too(rng):
    predicted, target, weights, height = bodies(rng)
    weights[0, 0] = 0
    predicted = predicted.detach().clone()
    predicted[0, 0] = torch.nan
    predicted.requires_grad_()
    loss, _ = JointLoss()(predicted, target, weights, height, 0)
    loss.backward()
    assert loss.isfinite()
    assert predicted.grad.isfinite().all()


def test_targets_never_receive_a_gradient(rng):
    predicted, target, weights, height = bodies(rng)
    target.requires_grad_()
    height.requires_grad_()
    MeshLoss("l2")(predicted, target, weights, height, 0)[0].backward()
    assert predicted.grad is not None
    assert target.grad is None
    assert height.grad is None


@pytest.mark.parametrize("iteration, ramp", [(0, 0.0), (25, 0.25), (99, 0.99), (100, 1.0), (5000, 1.0)])
def test_warmup_is_linear(rng, iteration, ramp):
    arguments = bodies(rng)
    full, _ = MarkerLoss()(*arguments, iteration)
    loss, info = MarkerLoss(warmup=100)(*arguments, iteration)
    assert info["ramp"] == pytest.approx(ramp)
    assert loss.item() == pytest.approx(ramp * full.item())
    assert info["loss"].item() == loss.item()


def test_fp32_under_autocast_and_from_half_precision(rng):
    predicted, target, weights, height = bodies(rng)
    expected, _ = MeshLoss("l2")(predicted, target, weights, height, 0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss, _ = MeshLoss("l2")(predicted, target, weights, height, 0)
    assert torch.equal(loss, expected)
    # 300² is beyond float16.
    large, _ = MeshLoss("l2")(torch.full_like(predicted, 300).half(), torch.zeros_like(target), weights, height, 0)
    assert large.dtype == torch.float32
    assert large.item() == pytest.approx(90000.0)


def test_bad_options():
    with pytest.raises(UserError, match="JointLoss cannot be used:\n  norm: found 'l3' .*expected 'l1' or 'l2'"):
        LOSSES.build({"type": "JointLoss", "norm": "l3"})
    with pytest.raises(UserError, match="warmup: found -1 .*expected greater than or equal to 0"):
        LOSSES.build({"type": "MeshLoss", "warmup": -1})


def test_shapes_that_do_not_belong_together(rng):
    predicted, target, weights, height = bodies(rng)
    with pytest.raises(ValueError, match=r"\[2, 3, 5, 3\] and \[2, 3, 4, 3\]"):
        JointLoss()(predicted, target[:, :, :4], weights, height, 0)
    with pytest.raises(ValueError, match=r"expected \[n, s\] = \[2, 3\], got \[2, 2\]"):
        JointLoss()(predicted, target, weights[:, :2], height, 0)
