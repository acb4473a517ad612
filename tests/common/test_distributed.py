"""What a device can do."""

import pytest
import torch

from opengait_meshgait.common.distributed import half_precision, pick_device, pick_precision
from opengait_meshgait.common.errors import UserError


@pytest.mark.parametrize(
    "able, dtype",
    [
        ({"avx512_bf16": True, "amx_bf16": False}, torch.bfloat16),
        ({"avx512_bf16": False, "amx_bf16": True}, torch.bfloat16),
        ({"avx512_bf16": False, "amx_bf16": False, "avx512_fp16": True}, None),
        ({}, None),
    ],
)
def test_a_cpu_computes_in_bfloat16_where_it_has_the_instructions(monkeypatch, able, dtype):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able, raising=False)
    assert half_precision(torch.device("cpu")) is dtype


def test_an_older_pytorch_does_not_tell(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert half_precision(torch.device("cpu")) is None


def test_cuda_computes_in_float16():
    assert half_precision(torch.device("cuda", 0)) is torch.float16


def test_devices_by_any_of_their_names(monkeypatch):
    assert pick_device("cpu") == pick_device(torch.device("cpu")) == torch.device("cpu")
    for name in ("gpu", "cpu:1", "cuda:x", 0, None):
        with pytest.raises(UserError, match=f"Unknown device '{name}'"):
            pick_device(name)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert pick_device("cuda") == pick_device("auto") == torch.device("cuda", 0)
    assert pick_device("cuda:1") == pick_device(torch.device("cuda", 1)) == torch.device("cuda", 1)
    with pytest.raises(UserError, match="no cuda:2: this machine has 2"):
        pick_device("cuda:2")


def test_precisions_that_are_none():
    for name in ("fp8", 16, torch.float32):
        with pytest.raises(UserError, match="Unknown precision"):
            pick_precision(name, torch.device("cpu"))
