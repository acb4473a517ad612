"""Brute force over single probes, and OpenGait's own evaluators where a checkout is at hand."""

import functools
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch


@pytest.fixture
def rng():
    return torch.Generator().manual_seed(0)


@pytest.fixture
def opengait(monkeypatch):
    """OpenGait's modules ``metric`` and ``evaluator``, loaded by path, on the CPU, with ties in gallery order.

    Its own order of ties is left to an unstable sort; everything else is as it stands.
    """
    root = os.environ.get("OPENGAIT_ROOT")
    if not root:
        pytest.skip("OPENGAIT_ROOT names no OpenGait checkout")
    folder = Path(root) / "opengait" / "evaluation"

    utils = ModuleType("utils")
    utils.is_tensor = torch.is_tensor
    utils.mkdir = os.makedirs
    utils.get_msg_mgr = lambda: SimpleNamespace(log_info=lambda *_: None)
    monkeypatch.setitem(sys.modules, "utils", utils)
    monkeypatch.setattr(torch.Tensor, "cuda", lambda self: self)
    package = ModuleType("opengait_evaluation")
    package.__path__ = [str(folder)]
    monkeypatch.setitem(sys.modules, "opengait_evaluation", package)

    def load(name):
        spec = importlib.util.spec_from_file_location(f"opengait_evaluation.{name}", folder / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        return module

    metric = load("metric")
    stable = SimpleNamespace(**vars(np))
    stable.argsort = functools.partial(np.argsort, kind="stable")
    monkeypatch.setattr(metric, "np", stable)
    return SimpleNamespace(metric=metric, evaluator=load("evaluator"))
