"""What a device can do."""

import pytest
import torch

from opengait_meshgait.common.distributed import half_precision


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
