"""Settings for the whole suite."""

import os

import pytest
import torch
from hypothesis import settings

settings.register_profile("suite", deadline=None, max_examples=30, derandomize=True)
settings.load_profile("suite")


@pytest.fixture(autouse=True, scope="session")
def one_thread_per_worker():
    """Two pytest workers on two cores: more threads than that only wait for each other."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        torch.set_num_threads(1)
