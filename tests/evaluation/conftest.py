"""Brute force over single probes, and OpenGait's own evaluators where a checkout is at hand."""

import functools
import os
from types import SimpleNamespace

import numpy as np
import pytest
import torch


@pytest.fixture
def rng():
    return torch.Generator().manual_seed(0)


@pytest.fixture
def opengait(monkeypatch, load_opengait):
    """OpenGait's modules ``metric`` and ``evaluator``, on the CPU, with ties in gallery order, and what they ``said``.

    Its own order of ties is left to an unstable sort; everything else is as it stands.
    """
    said = []
    log = SimpleNamespace(log_info=said.append)
    utils = {"is_tensor": torch.is_tensor, "mkdir": os.makedirs, "get_msg_mgr": lambda: log}
    monkeypatch.setattr(torch.Tensor, "cuda", lambda self: self)
    metric, evaluator = load_opengait("evaluation", utils, "metric", "evaluator")
    stable = SimpleNamespace(**vars(np))
    stable.argsort = functools.partial(np.argsort, kind="stable")
    monkeypatch.setattr(metric, "np", stable)
    return SimpleNamespace(metric=metric, evaluator=evaluator, said=said)
