"""What a training step would ask of a GPU: targets, augmentation, network and losses, before the backward pass."""

import pytest
import torch

from opengait_meshgait.body.supervision import load_supervision
from opengait_meshgait.common.configs import CONFIG_NAMES, compose
from opengait_meshgait.data import Batch
from opengait_meshgait.engine import build
from opengait_meshgait.engine.config import load_config
from opengait_meshgait.recipe.training_step import TrainingStep
from tests.operators import GPU, Operators, no_autocast, stand_in, structure


def _steps():
    """Shipped configs that differ in more than widths: every other has one of these, or leaves a part of it out."""
    found = {}
    for name in CONFIG_NAMES:
        cfg = compose(name)
        if name.startswith(("gait3d", "oumvlp")) and not name.endswith(("_silhouette", "_lda", "_bodies")):
            found.setdefault(str(structure(cfg["model_cfg"]["backbone_cfg"])), name)
    return [*found.values(), "gait3d_silhouette", "gait3d_shared", "demo", "walkers_small_unsupervised"]


@pytest.fixture(scope="module")
def supervision():
    """The shipped body on the GPU, where it has seen a batch before."""
    supervision = load_supervision().to(GPU)
    with no_autocast(), Operators():
        supervision(torch.empty(1, 1, 85, device=GPU))
    return supervision


@pytest.mark.parametrize("name", _steps())
def test_a_gpu_is_not_kept_waiting(name, supervision, monkeypatch):
    monkeypatch.setattr("opengait_meshgait.recipe.preparation.load_supervision", lambda **_: supervision)
    config = load_config(name)
    preparation, (people, each) = build.build_preparation(config, True), config.trainer_cfg.sampler.batch_size
    if preparation.augmentation and preparation.augmentation.flips:
        preparation.augmentation.flips = supervision.flips
    n, s = people * each, config.trainer_cfg.sampler.frames_num_fixed
    batch = Batch(
        sils=torch.empty(n, s, 64, 64, dtype=torch.uint8, device=GPU),
        bodies=torch.empty(n, s, 85, device=GPU) if preparation.with_bodies else None,
        weights=None,
        seqL=None,
        labels=torch.empty(n, dtype=torch.int64, device=GPU),
        types=[],
        views=[],
        indices=torch.arange(n),
        seeds=torch.arange(n),
    )
    with stand_in(), Operators():
        net = build.build_network(config, preparation.supervision)
    step = TrainingStep(net, build.build_losses(config), preparation)
    with no_autocast(), Operators() as operators:
        loss = step(batch, 100).loss
    assert loss.device == GPU and loss.requires_grad
    # The outline of the bodies three times, the largest number of sequences of a person, whether the loss is finite.
    assert len(operators.synchronisations) <= 5, operators.synchronisations
    assert operators.count <= (1300 if "swingait" in name else 900)
