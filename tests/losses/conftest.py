"""OpenGait's own losses as an oracle, where a checkout is at hand."""

from types import SimpleNamespace

import pytest
import torch


@pytest.fixture
def opengait(monkeypatch, load_opengait):
    """OpenGait's ``TripletLoss`` and ``CrossEntropyLoss``."""
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 1)
    utils = {"Odict": dict, "ddp_all_gather": lambda tensor: tensor}
    _, triplet, cross_entropy = load_opengait("modeling/losses", utils, "base", "triplet", "ce")
    return SimpleNamespace(TripletLoss=triplet.TripletLoss, CrossEntropyLoss=cross_entropy.CrossEntropyLoss)


@pytest.fixture
def rng():
    return torch.Generator().manual_seed(0)
