"""What large tensors cost the second time."""

import platform
import resource

import pytest
import torch

from opengait_meshgait.common.memory import keep_freed_memory

_SIZE = 2**24  # float32, 64 MiB: more than glibc keeps by itself


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="without glibc, nothing is changed")
def test_the_memory_of_a_large_tensor_serves_the_next_one():
    keep_freed_memory()
    before, rounds = resource.getrusage(resource.RUSAGE_SELF).ru_minflt, 8
    for _ in range(rounds):
        torch.zeros(_SIZE)
    fresh = (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) * resource.getpagesize() / (4 * _SIZE)
    assert fresh < rounds / 2  # small blocks may take a piece of a large one, which then no longer suffices
