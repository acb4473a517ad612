"""One training step."""

import numpy as np
import pytest
import torch

from opengait_meshgait.body.layout import ROOT_TURN
from opengait_meshgait.data import Batch
from opengait_meshgait.data.augmentation import PairedAugmentation
from opengait_meshgait.engine import build
from opengait_meshgait.engine.config import make_config
from opengait_meshgait.recipe.training_step import TrainingStep


def make_step(raw, **more):
    config = make_config(raw)
    torch.manual_seed(0)
    preparation = build.build_preparation(config, training=True)
    net = build.build_network(config, preparation.supervision)
    return TrainingStep(net, build.build_losses(config), preparation, **more)


def make_batch(raw, lengths=None):
    """Four sequences of two frames, or packed ones."""
    rng = np.random.default_rng(0)
    frames = sum(lengths) if lengths else 8
    sils = torch.zeros(frames, 64, 64, dtype=torch.uint8)
    sils[:, :, 25:40] = 255
    smpls = torch.from_numpy(rng.normal(0, 0.1, (frames, 85)).astype(np.float32))
    smpls[:, ROOT_TURN] = torch.tensor([np.pi, 0, 0])
    n, shape = (len(lengths), (1, frames)) if lengths else (4, (4, 2))
    return Batch(
        sils=sils.view(*shape, 64, 64),
        bodies=smpls.view(*shape, 85),
        weights=None,
        seqL=torch.tensor([lengths]) if lengths else None,
        labels=torch.arange(n) // 2,
        types=["nm-01"] * n,
        views=["000"] * n,
        indices=torch.arange(n),
        seeds=torch.arange(n),
    )


def test_every_weight_learns(raw):
    step, batch = make_step(raw), make_batch(raw)
    batch.sils = torch.randint(2, batch.sils.shape, dtype=torch.uint8) * 255
    result = step(batch, 100)
    result.loss.backward()
    assert [name for name, p in step.net.named_parameters() if p.grad is None or not p.grad.any()] == []
    assert result.sils.shape == (4, 2, 64, 44)
    assert result.output.markers.shape == result.targets.markers.shape == (4, 2, 64, 3)
    assert not result.targets.vertices.requires_grad


def test_half_precision_rounds_the_network_and_neither_targets_nor_losses(raw):
    batch = make_batch(raw)
    batch.sils = torch.randint(2, batch.sils.shape, dtype=torch.uint8) * 255
    exact, rounded = make_step(raw)(batch, 100), make_step(raw, half=torch.bfloat16)(batch, 100)
    assert rounded.output.embeddings.dtype is torch.bfloat16
    assert rounded.loss.dtype is rounded.targets.markers.dtype is rounded.output.markers.dtype is torch.float32
    torch.testing.assert_close(rounded.targets.markers, exact.targets.markers, rtol=0, atol=0)
    torch.testing.assert_close(rounded.output.markers, exact.output.markers, rtol=0, atol=0.01)
    torch.testing.assert_close(rounded.loss, exact.loss, rtol=0.05, atol=0)
    rounded.loss.backward()


def test_an_invalid_frame_teaches_nothing_in_3d(raw):
    batch = make_batch(raw)
    raw["loss_cfg"] = raw["loss_cfg"][2:]
    step = make_step(raw)
    step.net.eval()
    batch.bodies[0, 0, 10] = np.nan
    with pytest.raises(ValueError, match="expected inputs"):
        # In evaluation mode the network gives no bodies, and no loss may be left out without a word.
        step(batch, 0)
    step.net.train()
    for name in ("marker", "joint", "mesh"):
        assert torch.isfinite(step(batch, 10).scalars[f"scalar/{name}/loss"])


@pytest.mark.parametrize("lengths", [None, [3, 1, 2]])
def test_augmentation_draws_once_a_sequence(raw, lengths):
    raw["model_cfg"]["augment_cfg"] = {"flip": 0.5, "affine": {"probability": 1, "translate": 0.2}}
    step = make_step(raw)
    batch = make_batch(raw, lengths)
    result = step(batch, 0)
    again = step(batch, 1)
    assert torch.equal(result.sils, again.sils)
    assert torch.equal(result.targets.markers, again.targets.markers)
    # Frames that were alike before are alike after, within a sequence only.
    sequences = result.sils[0].split(lengths) if lengths else result.sils
    for sequence in sequences:
        assert torch.equal(sequence[0], sequence[-1])
    assert not torch.equal(sequences[0][0], sequences[1][0])
    assert isinstance(step.preparation.augmentation, PairedAugmentation)


def test_the_baseline_needs_no_bodies(baseline):
    batch = make_batch(baseline)
    batch.bodies = None
    result = make_step(baseline)(batch, 0)
    assert result.targets is None
    assert result.output.markers is None
    assert {name.split("/")[1] for name in result.scalars} == {"triplet", "softmax"}
