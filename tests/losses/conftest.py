"""OpenGait's own losses as an oracle, where a checkout is at hand."""

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch


@pytest.fixture
def opengait(monkeypatch):
    """OpenGait's ``TripletLoss`` and ``CrossEntropyLoss``, loaded by path: its package needs torchvision."""
    root = os.environ.get("OPENGAIT_ROOT")
    if not root:
        pytest.skip("OPENGAIT_ROOT names no OpenGait checkout")
    folder = Path(root) / "opengait" / "modeling" / "losses"

    utils = ModuleType("utils")
    utils.Odict = dict
    utils.ddp_all_gather = lambda tensor: tensor
    monkeypatch.setitem(sys.modules, "utils", utils)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 1)
    package = ModuleType("opengait_losses")
    package.__path__ = [str(folder)]
    monkeypatch.setitem(sys.modules, "opengait_losses", package)

    def load(name):
        spec = importlib.util.spec_from_file_location(f"opengait_losses.{name}", folder / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        return module

    load("base")
    return SimpleNamespace(TripletLoss=load("triplet").TripletLoss, CrossEntropyLoss=load("ce").CrossEntropyLoss)


@pytest.fixture
def rng():
    return torch.Generator().manual_seed(0)
